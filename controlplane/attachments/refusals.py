"""Why a file is not taken: each names the file and says what to do about it."""

from controlplane.errors import Refusal


class AttachmentRefused(Refusal):
    """{name!r} was not attached."""

    code = "attachment.refused"
    status = 422


class AttachmentMissing(AttachmentRefused):
    """There is no file in what was sent: send one as the field `file` of multipart/form-data."""

    code = "attachment.missing"


class AttachmentEmpty(AttachmentRefused):
    """{name!r} is empty. Save it again, and attach it once there is something in it."""

    code = "attachment.empty"


class AttachmentTooLarge(AttachmentRefused):
    """{name!r} is larger than {most} MiB. Make it smaller, or attach it in several parts."""

    code = "attachment.too_large"
    status = 413


class TooManyAttachments(AttachmentRefused):
    """{name!r} was not attached: this request has {most} attachments, which is the most. Remove one first."""

    code = "attachment.too_many"
    status = 409


class AttachmentNameless(AttachmentRefused):
    """The file {name!r} has no name that can be kept. Give it one of letters or figures, and the ending of its type."""

    code = "attachment.name"


class AttachmentUnknown(AttachmentRefused):
    """{name!r} is of no type that is taken. Attach PDF, PNG, JPEG, DOCX, XLSX or SVG, or text and CSV in UTF-8 or
    GB18030."""

    code = "attachment.type"


class AttachmentMisnamed(AttachmentRefused):
    """{name!r} is named as something else than it is: what is in it is {found}. Give it the right ending, or save it
    again as what its name says."""

    code = "attachment.misnamed"


class AttachmentBroken(AttachmentRefused):
    """{name!r} is damaged or cut off. Save it again, see that it opens, and attach it once more."""

    code = "attachment.broken"


class AttachmentActive(AttachmentRefused):
    """{name!r} holds {found}, which can run or load something when it is opened. Save a plain copy without it, for
    instance by printing it into a new PDF."""

    code = "attachment.active"


class AttachmentLocked(AttachmentRefused):
    """{name!r} is encrypted or locked by a password, so that nobody can look into it. Take the password away, and
    attach it again."""

    code = "attachment.locked"


class AttachmentNested(AttachmentRefused):
    """{name!r} has another file inside: {found}. Take it out, and attach it by itself."""

    code = "attachment.nested"


class AttachmentSwells(AttachmentRefused):
    """{name!r} unpacks to more than is taken. Save it anew with less in it, or attach it in several parts."""

    code = "attachment.swells"


class AttachmentOld(AttachmentRefused):
    """{name!r} is of the old Office format, or locked by a password. Save it without a password as DOCX or XLSX."""

    code = "attachment.old_office"
