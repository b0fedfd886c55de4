"""Why a table of VPN accounts, or a row of it, is not taken: each says what to do about it.

What is said of rows is kept with an import and told in its reader's language, so its values are plain text and numbers.
"""

from controlplane.errors import Refusal


class ImportRefused(Refusal):
    """Nothing was imported."""

    code = "import.refused"
    status = 422


class SheetMissing(ImportRefused):
    """There is no file in what was sent: send one as the field `file` of multipart/form-data."""

    code = "import.missing"


class SheetTooLarge(ImportRefused):
    """The file is larger than {most} MiB. Import it in several parts."""

    code = "import.too_large"
    status = 413


class TooManyImports(ImportRefused):
    """This department has {most} imports that are not over. Carry one out or throw one away first."""

    code = "import.too_many"
    status = 409


class ImportNotReady(ImportRefused):
    """This import cannot be started: it is not checked yet, something is wrong with it, or it was started before."""

    code = "import.not_ready"
    status = 409


class ImportUnderWay(ImportRefused):
    """This import is being carried out, or was: it cannot be thrown away any more."""

    code = "import.under_way"
    status = 409


class SheetEmpty(ImportRefused):
    """There is no row with anything in it below the headings."""

    code = "import.empty"


class SheetUnknown(ImportRefused):
    """The file is neither CSV nor XLSX by its name and by what is in it. Save it as one of these."""

    code = "import.type"


class SheetBroken(ImportRefused):
    """The XLSX file is damaged, locked by a password, or holds no sheet. Open it, save it again and import that."""

    code = "import.broken"


class SheetSwells(ImportRefused):
    """Unpacked, the XLSX file is larger than {most} MiB. Import it in several parts."""

    code = "import.swells"


class SheetGarbled(ImportRefused):
    """Line {line}, character {column}: this is neither UTF-8 nor GB18030. Save the file as CSV in UTF-8."""

    code = "import.encoding"


class SheetMalformed(ImportRefused):
    """Line {line}: a quotation mark is opened and not closed as CSV wants it."""

    code = "import.quotes"


class TooManyRows(ImportRefused):
    """Line {line}: one import takes at most {most} rows. Import the rest as another one."""

    code = "import.too_many_rows"


class HeadingUnknown(ImportRefused):
    """Line {line}, column {column}: {heading!r} is no heading of this table. The headings are {known}."""

    code = "import.heading_unknown"


class HeadingTwice(ImportRefused):
    """Line {line}, column {column}: {heading!r} is there twice."""

    code = "import.heading_twice"


class HeadingMissing(ImportRefused):
    """Line {line}: the first row must hold the headings, and {missing} are not among them."""

    code = "import.heading_missing"


class CellBeyond(ImportRefused):
    """Line {line}, column {column}: there is something in a column that has no heading."""

    code = "import.cell_beyond"


class WrongName(ImportRefused):
    """A name of 1 to 64 characters has to be there."""

    code = "import.name"


class WrongNumber(ImportRefused):
    """A number of 1 to 64 characters, by which the department knows the person, has to be there."""

    code = "import.number"


class WrongPhone(ImportRefused):
    """A phone number is 5 to 24 digits, spaces, hyphens or brackets, with a + before it or none."""

    code = "import.phone"


class WrongMail(ImportRefused):
    """This is no address of a mailbox, like name@example.org."""

    code = "import.mail"


class WrongUsername(ImportRefused):
    """A user name is 1 to 64 small letters, digits, dots, hyphens or underscores, and begins and ends with a letter or
    digit."""

    code = "import.username"


class WrongSystem(ImportRefused):
    """A business system is said by its code: small letters, digits, dots and hyphens."""

    code = "import.system"


class WrongGateway(ImportRefused):
    """A gateway is said by its code: small letters, digits, dots and hyphens."""

    code = "import.gateway"


class WrongSessions(ImportRefused):
    """This must be a whole number from 1 to 10."""

    code = "import.max_sessions"


class WrongDay(ImportRefused):
    """This must be a day, like 2027-12-31."""

    code = "import.lease_until"


class UsernameMissing(ImportRefused):
    """A user name has to be there: the department has no rule that makes one."""

    code = "import.username_missing"


class UsernameByRule(ImportRefused):
    """The department's rule makes another user name. Leave it out, and it is made."""

    code = "import.username_rule"


class NumberUnfit(ImportRefused):
    """The department's rule makes no user name of this number."""

    code = "import.number_rule"


class UsernameTwice(ImportRefused):
    """The user name {username!r} is on line {other} already."""

    code = "import.username_twice"


class UsernameTaken(ImportRefused):
    """Somebody has the user name {username!r} already."""

    code = "import.username_taken"


class SystemUnknown(ImportRefused):
    """The department has no business system {system!r}."""

    code = "import.system_unknown"


class NoGroup(ImportRefused):
    """No gateway, or not the one that is named, serves the department or the system of this row: an administrator can
    open a group for it."""

    code = "import.no_group"


class QuotaShort(ImportRefused):
    """The quota of {owner} has room for {left} more VPN accounts, and this takes {asked}. Import fewer rows, or ask the
    administrator to raise the limit."""

    code = "quota.exceeded"


class BeyondQuota(ImportRefused):
    """The quota ends before this row."""

    code = "import.beyond_quota"


class NoSeats(ImportRefused):
    """No gateway has room for all of these accounts. Import fewer rows, or ask the administrator for more room."""

    code = "placement.no_pool"


class ApprovalFirst(ImportRefused):
    """So many accounts have to be approved first, by {roles}, which an import is not. Send them as requests, or have
    the rule changed."""

    code = "request.approval_needed"


class AskerGone(ImportRefused):
    """{name} may not ask for accounts here any more: the account is disabled, or its token has ended. Somebody else can
    import the file."""

    code = "import.asker_gone"


class ImportBroke(ImportRefused):
    """An error in Steppe itself; nothing was imported. Tell the administrator the request id {trace}."""

    code = "internal"
