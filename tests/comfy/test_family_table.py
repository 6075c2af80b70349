"""The pages say of families and methods what hosts and methods declare."""

from __future__ import annotations


def test_the_pages_hold_the_table_that_the_declarations_make(pack):
    import make_tables

    for page, words in make_tables.PAGES.items():
        text, table = page.read_text(encoding="utf-8"), make_tables.family_table(words)
        assert table in text and make_tables.with_table(text, table) == text


def test_every_method_acts_somewhere_and_every_family_has_one(pack):
    import make_tables

    lines = [line.strip("| ").split("|") for line in make_tables.family_table(make_tables.ENGLISH).splitlines()[2:]]
    hosts = pack.module("nodes.patch.hosts").HOSTS
    assert len(lines) == sum(len(host.families) for host in hosts)
    methods = pack.module("nodes.patch.methods")
    for method in make_tables.methods():
        acting = [host for host in hosts if methods.acts_in(method, host)]
        assert acting and set(method.trained_for or ()) <= {family for host in acting for family in host.families}
