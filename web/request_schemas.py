"""Bodies and queries of requests and of the rules that they go by."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from controlplane.asks.items import Create, Extend, Quota, Release, Resize, Transfer
from controlplane.asks.routing import Applies, StepOf
from controlplane.kinds.names import Code
from web.schemas import Change, Strict, Text, Username

Item = Annotated[Create | Resize | Extend | Transfer | Release | Quota, Field(discriminator="do")]
Items = Annotated[list[Item], Field(min_length=1, max_length=1000, description="all of them or none")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]


class RequestQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["created_at", "-created_at"] | None = None
    department: str | None = None
    state: str | None = Field(None, description="one or more states, separated by commas")
    kind: str | None = Field(None, description="a kind of resource, quota or mixed")
    mine: Literal["true", "false"] | None = Field(None, description="only what one asked for oneself")
    number: int | None = Field(None, ge=1, le=2**53)


class InboxQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["due_at", "-due_at"] | None = None
    department: str | None = None
    handed: Literal["true"] | None = Field(None, description="those that were handed to oneself in person")


class RequestBody(Strict):
    department: Code | None = Field(None, description="the caller's own where it is left out")
    title: Text
    reason: Words = Field("", description="why, for those who decide")
    items: Items
    submit: bool = Field(False, description="hand it in at once; else it stays a draft")


class RequestChange(Change):
    title: Text | None = None
    reason: Words | None = None
    items: Items | None = None


class DecisionBody(Strict):
    comment: Comment = Field("", description="a return or a refusal says why")


class HandOverBody(Strict):
    to: Username = Field(description="of the same role, or of the department that asks; nobody who asked for it")


class CommentBody(Strict):
    body: Said


class RuleBody(Strict):
    name: Text
    name_en: Text
    enabled: bool = True
    applies: Applies
    steps: list[StepOf] = Field(max_length=20)


class NewRuleBody(RuleBody):
    code: Code
