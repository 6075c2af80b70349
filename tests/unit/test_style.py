"""What ruff does not count: functions of at most 40 lines, and lines of 120 characters whatever their comments say."""

from __future__ import annotations

import ast
import subprocess


def test_functions_and_lines_are_short(root):
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=root, capture_output=True, text=True, check=True)
    long = []
    for name in listed.stdout.split():
        text = (root / name).read_text(encoding="utf-8")
        long += [
            f"{name}:{n}: {len(line)} characters" for n, line in enumerate(text.splitlines(), 1) if len(line) > 120
        ]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 40:
                long.append(f"{name}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines")
    assert len(listed.stdout.split()) > 300 and not long
