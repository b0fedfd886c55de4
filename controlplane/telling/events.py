"""Every event that somebody is told of: one table, with its words in both languages.

Words stand here and not in the catalogues of the console: the worker puts them into mails, and knows no web framework.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Category = Literal["approvals", "requests", "leases", "unused", "webhooks"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of an event; names in braces are filled in by its params."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """`category` is what somebody chooses mail by; `of_use_to` says in English who is told."""

    category: Category
    of_use_to: str
    zh: Words
    en: Words


_DECIDES, _ASKED, _HOLDS = "who has to decide", "who asked", "the department that has it"

EVENTS: dict[str, Event] = {
    "request.submitted": Event(
        "approvals",
        _DECIDES,
        Words("待审批：申请 {number} {title}", "{department}提交了申请 {number}《{title}》，请您审批。"),
        Words(
            "To decide: request {number} {title}", "{department} sent request {number}, {title}. Please decide on it."
        ),
    ),
    "request.decide_again": Event(
        "approvals",
        _DECIDES,
        Words(
            "请重新审批：申请 {number} {title}", "{department}的申请 {number}《{title}》情况有变，须重新审批。{reason}"
        ),
        Words(
            "To decide again: request {number} {title}",
            "Things have changed for request {number}, {title}, of {department}: it has to be decided again. {reason}",
        ),
    ),
    "request.handed_over": Event(
        "approvals",
        _DECIDES,
        Words("转交审批：申请 {number} {title}", "{department}的申请 {number}《{title}》已转交给您审批。"),
        Words(
            "Handed over: request {number} {title}",
            "Request {number}, {title}, of {department} was handed over to you. Please decide on it.",
        ),
    ),
    "step.reminder": Event(
        "approvals",
        _DECIDES,
        Words("即将到期：申请 {number} {title}", "{department}的申请 {number}《{title}》审批期限将至，请尽快审批。"),
        Words(
            "Soon due: request {number} {title}",
            "Your decision on request {number}, {title}, of {department} is due soon.",
        ),
    ),
    "step.escalated": Event(
        "approvals",
        "who decides, and whoever stands above",
        Words("逾期督办：申请 {number} {title}", "{department}的申请 {number}《{title}》逾期未审批，请督促办理。"),
        Words(
            "Overdue: request {number} {title}",
            "The decision on request {number}, {title}, of {department} is overdue. Please see that it is made.",
        ),
    ),
    "request.withdrawn": Event(
        "approvals",
        _DECIDES,
        Words("申请已撤回：{number} {title}", "{department}撤回了申请 {number}《{title}》，无需再审批。"),
        Words(
            "Withdrawn: request {number} {title}",
            "{department} withdrew request {number}, {title}. There is nothing to decide any more.",
        ),
    ),
    "request.approved": Event(
        "requests",
        _ASKED,
        Words("申请已批准：{number} {title}", "您的申请 {number}《{title}》已批准，正在办理。"),
        Words(
            "Approved: request {number} {title}", "Your request {number}, {title}, is approved and being carried out."
        ),
    ),
    "request.refused": Event(
        "requests",
        _ASKED,
        Words("申请未获批准：{number} {title}", "您的申请 {number}《{title}》未获批准。理由：{reason}"),
        Words("Refused: request {number} {title}", "Your request {number}, {title}, was refused. Reason: {reason}"),
    ),
    "request.returned": Event(
        "requests",
        _ASKED,
        Words("申请被退回：{number} {title}", "您的申请 {number}《{title}》被退回，请修改后重新提交。理由：{reason}"),
        Words(
            "Returned: request {number} {title}",
            "Your request {number}, {title}, came back. Change it and submit it again. Reason: {reason}",
        ),
    ),
    "request.expired": Event(
        "requests",
        _ASKED,
        Words("申请已过期：{number} {title}", "您的申请 {number}《{title}》逾期未决，已失效，预留的额度已释放。"),
        Words(
            "Expired: request {number} {title}",
            "Your request {number}, {title}, was not decided in time and has expired. What it reserved is free again.",
        ),
    ),
    "request.done": Event(
        "requests",
        _ASKED,
        Words("申请已办结：{number} {title}", "您的申请 {number}《{title}》已全部办理完毕。"),
        Words("Done: request {number} {title}", "Everything that request {number}, {title}, asks for is done."),
    ),
    "request.commented": Event(
        "requests",
        _ASKED,
        Words("申请有新留言：{number} {title}", "{by}在申请 {number}《{title}》中留言，请查看。"),
        Words("Comment: request {number} {title}", "{by} commented on request {number}, {title}."),
    ),
    "lease.warning": Event(
        "leases",
        _HOLDS,
        Words("即将到期：{name}", "{name} 的使用期限将于 {until} 届满（还有 {days} 天）。如需继续使用，请申请延期。"),
        Words(
            "Ends soon: {name}",
            "{name} is granted until {until}, which is in {days} days. Ask for more time if needed.",
        ),
    ),
    "lease.stopped": Event(
        "leases",
        _HOLDS,
        Words("到期已关停：{name}", "{name} 使用期限已届满，已关停。如需继续使用，请申请延期。"),
        Words(
            "Stopped: {name}", "The time of {name} is over and it was stopped. Ask for more time if it is still needed."
        ),
    ),
    "lease.quarantined": Event(
        "leases",
        _HOLDS,
        Words("到期已隔离：{name}", "{name} 到期未延期，已隔离，其后将被删除。如需保留，请尽快申请延期。"),
        Words(
            "In quarantine: {name}", "{name} is in quarantine and will be deleted next. Ask for more time to keep it."
        ),
    ),
    "lease.deleted": Event(
        "leases",
        _HOLDS,
        Words("到期已删除：{name}", "{name} 到期未延期，已删除，资源已收回。"),
        Words("Deleted: {name}", "The time of {name} was over and it was deleted; what it took is free again."),
    ),
    "lease.extended": Event(
        "leases",
        _HOLDS,
        Words("已延期：{name}", "{name} 的使用期限已延至 {until}。"),
        Words("Extended: {name}", "{name} is granted until {until} now."),
    ),
    "unused.asked": Event(
        "unused",
        _HOLDS,
        Words("是否仍需使用：{name}", "{name} 长期闲置，请于 {until} 前确认是否保留，逾期将按到期处理。"),
        Words(
            "Still needed? {name}", "{name} seems not to be used. Say by {until} that it is to be kept, or it is ended."
        ),
    ),
    "vpn.to_confirm": Event(
        "unused",
        _HOLDS,
        Words("VPN 账号待确认：{count} 个", "贵部门有 {count} 个 VPN 账号须在 {by} 前确认仍在使用，未确认的将被停用。"),
        Words(
            "VPN accounts to confirm: {count}",
            "{count} VPN accounts of your department have to be confirmed by {by}; the others will be suspended.",
        ),
    ),
    "webhook.disabled": Event(
        "webhooks",
        "whoever made the webhook",
        Words("事件推送已停用：{name}", "事件推送“{name}”连续 {failures} 次失败，已自动停用。排除故障后请重新启用。"),
        Words(
            "Webhook disabled: {name}",
            "The webhook {name} failed {failures} times in a row and was disabled. Enable it again once it is mended.",
        ),
    ),
}


class _Filled(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "—"


def words(event: str, params: Mapping[str, Any], language: Language) -> Words:
    """Return what to say of an event, each part in one line; a param that is missing or empty shows as a dash. An event
    of before that is known no more says its name."""
    known = EVENTS.get(event)
    if known is None:
        return Words(event, event)
    said = known.en if language == "en" else known.zh
    filled = _Filled({name: value for name, value in params.items() if value not in (None, "")})
    return Words(*(" ".join(part.format_map(filled).split()) for part in (said.subject, said.text)))


def link_to(request: object, resource: object) -> str:
    """Return the path of the page of what a notification is about, the inbox where it is about neither."""
    return f"/requests/{request}" if request else f"/vms/{resource}" if resource else "/notifications"
