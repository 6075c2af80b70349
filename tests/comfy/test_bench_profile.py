"""The profile of a step: every operation belongs to one part, and the adapter's are those that the method requires."""

from __future__ import annotations

from argparse import Namespace


def test_parts_do_what_the_method_requires_of_them(pack):
    import bench_profile
    from devtools.flops import BLEND, COORDINATE, CROSS, DENSE, INSIDE

    options = Namespace(width=32, device="cpu", method="roictrl", adaptive=True, steps=3)
    profile, plain, floor = bench_profile.measure(options, 64, 2)
    found = profile.steps[1]["operations"]
    assert {part: found[part] for part in floor[0]} == floor[0]
    assert set(floor[0]) == {CROSS, INSIDE, BLEND, COORDINATE, DENSE}
    rest = set(found) - set(floor[0])
    assert [part for part in rest if found[part]] == [bench_profile.BASE]
    assert all(profile.steps[1]["bytes"][part] * 2 > 4 * floor[1][part] for part in floor[1])
    table = list(bench_profile.lines(profile, plain, floor, 4))
    assert len(table) == len(floor[0]) + 7 and all(row.count("|") == 8 for row in table)
