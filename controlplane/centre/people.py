"""People of a model centre: made up, the same in each load."""

from collections.abc import Iterator

from controlplane.persons import Person

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
_FIRST = "志海文建国永明春秀玉桂丽晓俊红金立振家伟"
_SECOND = "强军平芳英华珍敏静霞超勇磊娟涛洋艳兰鹏杰慧莉峰飞"


def people(count: int, seed: int) -> Iterator[Person]:
    """Yield people with numbers 00001, 00002 ... as one department counts them. Names may come twice, as they do."""
    for number in range(1, count + 1):
        # A linear congruence walks through all combinations before it comes back.
        place = (number * 7919 + seed * 104_729) % (len(_SURNAMES) * len(_FIRST) * len(_SECOND))
        place, second = divmod(place, len(_SECOND))
        surname, first = divmod(place, len(_FIRST))
        yield Person(name=_SURNAMES[surname] + _FIRST[first] + _SECOND[second], number=f"{number:05}")
