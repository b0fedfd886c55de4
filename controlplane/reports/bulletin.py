"""The centre's headline figures as the newspaper printed them, from live data, for any instant."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import Department, Site, System
from controlplane.policy import authorize
from quotas.metering import used_by_origin

LINK_MBPS = {"department": 100, "prefecture": 155, "county": 100}
"""Rate of each line of a pair, by what it leads to; the pairs themselves are counted."""

Bulletin = dict[str, Any]


def bulletin(session: Session, actor: Actor, at: datetime) -> Bulletin:
    """Return the figures as of `at`. Counts of allocated things are sums of ledger postings up to then."""
    authorize(actor, "centre.read")
    vms, devices, accounts = (used_by_origin(session, c, at) for c in ("vm", "device", "vpn_account"))
    systems = session.execute(
        select(func.count(), func.count(System.department_id.distinct())).where(*_existed(System, at))
    ).one()
    return {
        "at": at.isoformat().replace("+00:00", "Z"),
        "departments": _region_departments(session, at),
        "sites": session.scalar(select(func.count()).where(Site.created_at <= at)),
        "links": {to: {"pairs": 0, "mbps": mbps} for to, mbps in LINK_MBPS.items()},
        "devices": sum(devices.values()),
        "device_departments": len(devices),
        "vms": sum(vms.values()),
        "vm_departments": len(vms),
        "vpn_accounts": sum(accounts.values()),
        "vpn_departments": len(accounts),
        "systems": systems[0],
        "system_departments": systems[1],
    }


def paragraph(figures: Bulletin, language: str) -> str:
    """Return the figures as the article's paragraph, in `zh` or `en`."""
    flat = {
        **figures,
        **{f"{to}_pairs": link["pairs"] for to, link in figures["links"].items()},
        **{f"{to}_mbps": link["mbps"] for to, link in figures["links"].items()},
    }
    return _PARAGRAPHS[language].format(**flat)


def _region_departments(session: Session, at: datetime) -> int | None:
    """Count the departments of the region itself: prefecture governments are on the list but not among these."""
    return session.scalar(
        select(func.count())
        .select_from(Department)
        .join(Site, Site.id == Department.site_id)
        .where(Site.level == "region", Department.parent_id.is_(None), *_existed(Department, at))
    )


def _existed(model: Any, at: datetime) -> tuple[Any, ...]:
    return model.created_at <= at, or_(model.deleted_at.is_(None), model.deleted_at > at)


_PARAGRAPHS = {
    "zh": (
        "自治区电子政务外网云中心接入自治区本级政府部门{departments}个,已开通城域网双{department_mbps}M链路"
        "{department_pairs}对;自治区至盟市双{prefecture_mbps}M骨干线路{prefecture_pairs}对,盟市至旗县区双{county_mbps}M线路"
        "{county_pairs}对,覆盖节点{sites}个。已为{device_departments}个部门托管设备{devices}台,"
        "为{vm_departments}个部门分配虚拟机{vms}台,为{vpn_departments}个部门分配VPN账号{vpn_accounts}个,"
        "承载{system_departments}个部门的业务应用系统{systems}个。"
    ),
    "en": (
        "The e-government extranet cloud centre of the region connects {departments} departments of the regional"
        " government, with {department_pairs} dual {department_mbps} Mbit/s metro links in service;"
        " {prefecture_pairs} dual {prefecture_mbps} Mbit/s backbone lines lead to the prefectures and {county_pairs}"
        " dual {county_mbps} Mbit/s lines on to counties and banners, {sites} sites in all. It hosts {devices} devices"
        " of {device_departments} departments, has allocated {vms} virtual machines to {vm_departments} departments"
        " and {vpn_accounts} VPN accounts to {vpn_departments} departments, and carries {systems} business"
        " application systems of {system_departments} departments."
    ),
}
