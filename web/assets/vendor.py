"""Copy what the console serves out of node_modules.

The packages weigh over a hundred megabytes; the console serves a few files made from them: style sheets, scripts, one
sprite of the icons that icons.txt names, and the viewers of the remote console. Their licences go along.
"""

import json
import re
import shutil
import sys
from pathlib import Path

COPIES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/README.md": "tabler.README.md",
    "@tabler/icons/LICENSE": "icons.LICENSE",
    "echarts/dist/echarts.min.js": "echarts.min.js",
    "echarts/LICENSE": "echarts.LICENSE",
    "echarts/NOTICE": "echarts.NOTICE",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "@xterm/xterm/lib/xterm.mjs": "xterm.mjs",
    "@xterm/xterm/css/xterm.css": "xterm.css",
    "@xterm/xterm/LICENSE": "xterm.LICENSE",
    "@xterm/addon-fit/lib/addon-fit.mjs": "xterm-fit.mjs",
    "@novnc/novnc/LICENSE.txt": "novnc/LICENSE.txt",
}
FOLDERS = {
    "@novnc/novnc/core": "novnc/core",
    "@novnc/novnc/vendor/pako": "novnc/vendor/pako",
}
_SOURCE_MAP = re.compile(r"(/\*|//)# sourceMappingURL=\S+( \*/|\*/)?")


def sprite(icons: Path, names: list[str]) -> str:
    symbols = []
    for name in names:
        drawing = (icons / "outline" / f"{name}.svg").read_text(encoding="utf-8")
        shape = re.sub(r"\s+", " ", drawing.partition(">\n")[2].removesuffix("\n").removesuffix("</svg>")).strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shape}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def main(modules: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source, name in FOLDERS.items():
        shutil.copytree(modules / source, target / name)
    for source, name in COPIES.items():
        shutil.copyfile(modules / source, target / name)

    # A source map that is not served is a 404 in every developer's console.
    for name in ("tabler.min.css", "xterm.mjs", "xterm-fit.mjs"):
        file = target / name
        file.write_text(_SOURCE_MAP.sub("", file.read_text(encoding="utf-8")), encoding="utf-8")

    names = sorted(set(Path(__file__).with_name("icons.txt").read_text(encoding="utf-8").split()))
    (target / "icons.svg").write_text(sprite(modules / "@tabler/icons/icons", names), encoding="utf-8")

    packages = json.loads((modules / ".package-lock.json").read_text(encoding="utf-8"))["packages"]
    versions = {path.removeprefix("node_modules/"): package["version"] for path, package in packages.items()}
    (target / "manifest.json").write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
