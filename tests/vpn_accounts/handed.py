"""What is handed out: the encrypted file, as whoever knows the passphrase reads it."""

import csv
import io

import pyzipper

PASSPHRASE = "correct horse battery"


def opened(file: bytes, passphrase: str = PASSPHRASE) -> str:
    """Return the table in the file."""
    with pyzipper.AESZipFile(io.BytesIO(file)) as archive:
        archive.setpassword(passphrase.encode())
        return archive.read("vpn-accounts.csv").decode("utf-8-sig")


def passwords(file: bytes) -> dict[str, str]:
    """Return the passwords in the file, by user name."""
    _, *rows = csv.reader(io.StringIO(opened(file)))
    return {username: password for _, _, username, password, *_ in rows}
