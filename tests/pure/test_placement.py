"""Where a resource goes: each rule by itself, what is said where nothing is left, and what holds whatever is asked."""

from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import NoPool
from controlplane.placement import FILTERS, UNLIMITED, Candidate, Need, choose_pool, choose_pools

SITE, OTHER_SITE = UUID(int=1), UUID(int=2)
NAMES = [f"web-{number:02}" for number in range(60)]


def pool(number: int = 1, **changes: object) -> Candidate:
    plain = Candidate(
        id=UUID(int=number),
        code=f"pool-{number}",
        site=SITE,
        mlps_level=3,
        accepting=True,
        free={"vcpu": 50, "disk": UNLIMITED},
        limit={"vcpu": 100, "disk": 1},
    )
    return plain._replace(**changes)


def need(**changes: object) -> Need:
    return replace(Need("web-01", {"vcpu": 10, "disk": 10}, mlps_level=3), **changes)


def removed_by(pools: list[Candidate], asked: Need) -> dict[str, int]:
    with pytest.raises(NoPool) as refused:
        choose_pool(pools, asked)
    return dict(refused.value.removed)


NONE_REMOVED = {name: 0 for name, _, _ in FILTERS}

UNFIT: dict[str, tuple[str, Candidate, Need]] = {
    "does not accept anything": ("accepting", pool(accepting=False), need()),
    "is at another site": ("site", pool(site=OTHER_SITE), need(site=SITE)),
    "has too low a level": ("mlps_level", pool(mlps_level=2), need()),
    "has a member of the group": ("anti_affinity", pool(groups=frozenset({"db", "web"})), need(spread_group="db")),
    "has too little left": ("capacity", pool(free={"vcpu": 9, "disk": UNLIMITED}), need()),
    "has nothing left": ("capacity", pool(free={"vcpu": 0, "disk": UNLIMITED}), need()),
    "is over its limit": ("capacity", pool(free={"vcpu": -5, "disk": UNLIMITED}), need()),
    "has too little of one class": ("capacity", pool(free={"vcpu": 50, "disk": 9}), need()),
    "does not have the class": ("capacity", pool(free={"vcpu": 50}, limit={"vcpu": 100}), need()),
}


@pytest.mark.parametrize(("by", "unfit", "asked"), UNFIT.values(), ids=UNFIT.keys())
def test_a_pool_is_left_out_by_one_filter_where_it(by: str, unfit: Candidate, asked: Need) -> None:
    assert removed_by([unfit], asked) == NONE_REMOVED | {by: 1}


FIT: dict[str, tuple[Candidate, Need]] = {
    "has just enough left": (pool(free={"vcpu": 10, "disk": 10}), need()),
    "has no limit": (pool(free={"vcpu": UNLIMITED, "disk": UNLIMITED}, limit={"vcpu": 1, "disk": 1}), need()),
    "is at the site that is asked": (pool(), need(site=SITE)),
    "is anywhere where that does not matter": (pool(site=OTHER_SITE), need()),
    "has a higher level": (pool(mlps_level=4), need()),
    "has a member of the group and spreads by itself": (
        pool(groups=frozenset({"db"}), spreads=True),
        need(spread_group="db"),
    ),
    "has members of other groups": (pool(groups=frozenset({"web"})), need(spread_group="db")),
    "has groups that the ask is in none of": (pool(groups=frozenset({"web"})), need()),
}


@pytest.mark.parametrize(("fit", "asked"), FIT.values(), ids=FIT.keys())
def test_a_pool_is_taken_where_it(fit: Candidate, asked: Need) -> None:
    assert choose_pool([fit], asked) is fit


def test_a_pool_is_counted_by_the_first_filter_that_removes_it_and_all_counts_add_up() -> None:
    pools = [
        pool(1, accepting=False, site=OTHER_SITE, mlps_level=1),
        pool(2, site=OTHER_SITE, mlps_level=1),
        pool(3, mlps_level=1, free={}),
        pool(4, groups=frozenset({"db"}), free={}),
        pool(5, free={"vcpu": 1, "disk": UNLIMITED}),
        pool(6, accepting=False),
        pool(7),
    ]
    within = frozenset(pool(number).id for number in range(1, 7))
    removed = removed_by(pools, need(site=SITE, spread_group="db", within=within))
    others = {"floating": 0, "mlps_level": 1, "anti_affinity": 1, "capacity": 1}
    assert removed == {"accepting": 2, "site": 1, "within": 1, **others}


def test_only_a_pool_whose_machines_can_have_floating_addresses_takes_one_that_is_to_have_one() -> None:
    floats = pool(2, floats=True, free={"vcpu": 10, "disk": UNLIMITED})
    assert choose_pool([pool(1), floats], need(floating=True)) is floats
    assert removed_by([pool(1), pool(2)], need(floating=True))["floating"] == 2


def test_the_refusal_says_in_words_and_in_numbers_what_was_left_out() -> None:
    with pytest.raises(NoPool) as refused:
        choose_pool([pool(1, accepting=False), pool(2, mlps_level=1)], need())
    assert refused.value.message == (
        "No pool can take web-01: of 2 pools 1 removed by accepting, 1 removed by mlps_level."
    )
    assert refused.value.numbers()["pools"] == 2
    assert [f["removed"] for f in refused.value.numbers()["filters"]] == [1, 0, 0, 0, 1, 0, 0]


def test_where_there_is_no_pool_the_refusal_says_that_none_is_set_up() -> None:
    with pytest.raises(NoPool, match="of 0 pools none is set up"):
        choose_pool([], need())


def test_a_pool_of_the_level_asked_is_taken_before_a_higher_one_though_it_is_fuller() -> None:
    fuller = pool(2, mlps_level=2, free={"vcpu": 10, "disk": UNLIMITED})
    assert choose_pool([pool(1, mlps_level=3), fuller], need(mlps_level=2)) is fuller


def test_of_two_pools_the_emptier_one_is_taken() -> None:
    emptier = pool(2, free={"vcpu": 53, "disk": UNLIMITED})
    for name in NAMES:
        assert choose_pool([pool(1), emptier], need(name=name)) is emptier


def test_a_pool_is_as_full_as_its_scarcest_class() -> None:
    lopsided = pool(1, free={"vcpu": 100, "disk": 20}, limit={"vcpu": 100, "disk": 100})
    even = pool(2, free={"vcpu": 40, "disk": 40}, limit={"vcpu": 100, "disk": 100})
    assert choose_pool([lopsided, even], need()) is even


def test_a_pool_without_any_limit_is_no_better_than_an_empty_one_and_gives_way_to_one_of_the_level_asked() -> None:
    endless = {"free": {"vcpu": UNLIMITED, "disk": UNLIMITED}, "limit": {"vcpu": 1, "disk": 1}}
    assert choose_pool([pool(1, mlps_level=4, **endless), pool(2)], need()).code == "pool-2"
    nearly_empty = pool(2, free={"vcpu": 1000, "disk": UNLIMITED}, limit={"vcpu": 1000, "disk": 1})
    taken = {choose_pool([pool(1, **endless), nearly_empty], need(name=name)).code for name in NAMES}
    assert taken == {"pool-1", "pool-2"}


def test_pools_that_are_alike_share_the_asks_so_that_many_at_once_do_not_wait_for_one() -> None:
    pools = [pool(1), pool(2, free={"vcpu": 51, "disk": UNLIMITED}), pool(3)]
    taken = Counter(choose_pool(pools, need(name=name)).code for name in NAMES)
    assert set(taken) == {"pool-1", "pool-2", "pool-3"}
    assert max(taken.values()) < 2 * min(taken.values())


def test_the_same_ask_picks_the_same_pool_in_whatever_order_they_come() -> None:
    pools = [pool(n) for n in (3, 1, 2)]
    for name in NAMES:
        assert choose_pool(pools, need(name=name)) is choose_pool(pools[::-1], need(name=name))


def test_many_are_spread_over_pools_as_each_takes_its_room() -> None:
    chosen = choose_pools([pool(1), pool(2)], [need()] * 6)
    assert Counter(c.code for c in chosen) == {"pool-1": 3, "pool-2": 3}


def test_members_of_a_group_that_are_chosen_together_do_not_share_a_pool() -> None:
    chosen = choose_pools(
        [pool(1), pool(2)], [need(spread_group="db"), need(spread_group="db"), need(spread_group="web")]
    )
    assert chosen[0] is not chosen[1]


def test_many_are_refused_together_where_the_last_does_not_fit() -> None:
    with pytest.raises(NoPool, match=r"web-02.*1 removed by capacity"):
        choose_pools([pool(1, free={"vcpu": 15, "disk": UNLIMITED})], [need(), need(name="web-02")])


def test_what_is_chosen_from_is_left_as_it_was() -> None:
    before = [pool(1), pool(2)]
    choose_pools(before, [need(spread_group="db")] * 2)
    assert before == [pool(1), pool(2)]


rooms = st.one_of(st.just(UNLIMITED), st.integers(-3, 30))


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    count = draw(st.integers(0, 6))
    made = []
    for number in range(count):
        free = draw(st.fixed_dictionaries({"vcpu": rooms}, optional={"disk": rooms}))
        made.append(
            pool(
                number,
                site=draw(st.sampled_from([SITE, OTHER_SITE])),
                mlps_level=draw(st.integers(1, 4)),
                accepting=draw(st.sampled_from([True, True, True, False])),
                free=free,
                limit={c: 1 if left == UNLIMITED else 30 for c, left in free.items()},
                groups=draw(st.frozensets(st.sampled_from(["db", "web"]), max_size=1)),
            )
        )
    return made


needs = st.builds(
    Need,
    name=st.just("web-01"),
    amounts=st.fixed_dictionaries({"vcpu": st.integers(1, 8)}, optional={"disk": st.integers(1, 8)}),
    mlps_level=st.integers(1, 4),
    site=st.sampled_from([None, SITE, OTHER_SITE]),
    spread_group=st.sampled_from([None, "db", "web"]),
)


def fits(chosen: Candidate, asked: Need) -> bool:
    """Say in other words than the filters whether `chosen` can take `asked`."""
    enough = all(chosen.free.get(c, -1) >= n for c, n in asked.amounts.items())
    right = chosen.accepting and chosen.mlps_level >= asked.mlps_level and asked.site in {None, chosen.site}
    return enough and right and asked.spread_group not in chosen.groups


@given(candidates(), needs)
def test_a_pool_that_is_chosen_fits_and_none_is_refused_while_one_does(pools: list[Candidate], asked: Need) -> None:
    try:
        chosen = choose_pool(pools, asked)
    except NoPool as refusal:
        assert not any(fits(p, asked) for p in pools)
        assert sum(count for _, count in refusal.removed) == len(pools)
        assert [name for name, _ in refusal.removed] == [name for name, _, _ in FILTERS]
    else:
        assert fits(chosen, asked)
        assert choose_pool(pools[::-1], asked) == chosen


@given(candidates(), st.lists(needs, max_size=6))
def test_choosing_many_is_choosing_one_after_the_other(pools: list[Candidate], asked: list[Need]) -> None:
    left = {p.id: p for p in pools}
    one_by_one: list[UUID] | None = []
    try:
        for each in asked:
            chosen = choose_pool(list(left.values()), each)
            assert one_by_one is not None
            one_by_one.append(chosen.id)
            free = {c: n - each.amounts.get(c, 0) for c, n in chosen.free.items()}
            groups = chosen.groups | ({each.spread_group} if each.spread_group else set())
            left[chosen.id] = chosen._replace(free=free, groups=groups)
    except NoPool:
        one_by_one = None
    if one_by_one is None:
        with pytest.raises(NoPool):
            choose_pools(pools, asked)
    else:
        assert [p.id for p in choose_pools(pools, asked)] == one_by_one
