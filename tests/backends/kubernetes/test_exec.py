"""What the script prints is read without taking anything in it for something else."""

from __future__ import annotations

from erlconnect_backends.kubernetes.exec import ContainerProbe


def test_findings_belong_to_their_process() -> None:
    look = ContainerProbe()
    mark = look.words[-1].encode()
    output = b"".join(
        [
            b"noise\n" + mark + b" process 17",
            b"\n" + mark + b" flags\nbeam.smp\0-setcookie\0a\nb\0\0-x\0",
            b"\n" + mark + b" variables\nA=1\0B=x=y\n\0",
            b"\n" + mark + b" file /app/releases/COOKIE\nmonster\n",
            b"\n" + mark + b" process none",
            b"\n" + mark + b" file /var/lib/app/.erlang.cookie\nother",
        ]
    )
    one, rest = look.read(output)
    assert (one.number, rest.number) == ("17", "none")
    assert one.flags == ["beam.smp", "-setcookie", "a\nb", "", "-x"]
    assert one.variables == {"A": "1", "B": "x=y\n"}
    assert one.files == {"/app/releases/COOKIE": b"monster\n"}
    assert rest.files == {"/var/lib/app/.erlang.cookie": b"other"}


def test_each_look_has_a_mark_of_its_own() -> None:
    look, other = ContainerProbe(), ContainerProbe()
    output = f"\n{look.words[-1]} process 1".encode()
    assert other.read(output) == []
    assert len(look.read(output)) == 1
