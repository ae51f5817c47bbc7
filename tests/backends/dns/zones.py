"""The zones that the tests' knotd serves; names in a zone are relative to it."""

from __future__ import annotations

CLUSTER = """
_dist._tcp.shop.staging.svc  SRV 0 33 9100 10-3-2-1.shop.staging.svc
_dist._tcp.shop.staging.svc  SRV 0 33 9100 10-3-2-2.shop.staging.svc
_dist._tcp.shop.staging.svc  SRV 0 33 9100 10-3-2-3.shop.staging.svc
_epmd._tcp.shop.staging.svc  SRV 0 33 4369 10-3-2-1.shop.staging.svc
_epmd._tcp.shop.staging.svc  SRV 0 33 4370 10-3-2-2.shop.staging.svc
_epmd._tcp.shop.staging.svc  SRV 0 33 0    10-3-2-3.shop.staging.svc
10-3-2-1.shop.staging.svc    A 10.3.2.1
10-3-2-2.shop.staging.svc    A 10.3.2.2
10-3-2-3.shop.staging.svc    A 10.3.2.3

; What CoreDNS answers for the service itself: every port of every pod.
shop.staging.svc             SRV 0 16 4369 10-3-2-1.shop.staging.svc
shop.staging.svc             SRV 0 16 9100 10-3-2-1.shop.staging.svc
shop.staging.svc             SRV 0 16 4369 10-3-2-2.shop.staging.svc
shop.staging.svc             SRV 0 16 9100 10-3-2-2.shop.staging.svc
shop.staging.svc             SRV 0 16 4369 10-3-2-3.shop.staging.svc
shop.staging.svc             SRV 0 16 9100 10-3-2-3.shop.staging.svc
shop.staging.svc             A 10.3.2.1
shop.staging.svc             A 10.3.2.2

web.staging.svc              SRV 0 50 4000 10-3-2-1.shop.staging.svc
zero.staging.svc             SRV 0 50 0    10-3-2-1.shop.staging.svc
mapper.staging.svc           SRV 0 50 4369 10-3-2-1.shop.staging.svc
half.staging.svc             SRV 0 50 0    10-3-2-1.shop.staging.svc
half.staging.svc             SRV 0 50 9100 10-3-2-1.shop.staging.svc

plain.staging.svc            A 10.3.3.2
plain.staging.svc            A 10.3.3.10
six.staging.svc              AAAA fd12:34::2
six.staging.svc              AAAA fd12:34::1
six.staging.svc              AAAA fd12:34::3
both.staging.svc             A 10.3.4.1
both.staging.svc             AAAA fd12:34::41
both.staging.svc             SRV 0 50 9100 both-0.both.staging.svc
both-0.both.staging.svc      A 10.3.4.2
both-0.both.staging.svc      AAAA fd12:34::42
waiting.staging.svc          TXT "no pod is ready"
_dist._tcp.waiting.staging.svc  TXT "no pod is ready"
_dist._tcp.waiting.staging.svc  A 10.9.9.9
hidden.staging.svc           A 0.0.0.0
stopped.staging.svc          SRV 0 0 0 .
stopped.staging.svc          A 10.3.5.1
ranked                       SRV 20 90 9100 last.ranked
ranked                       SRV 10 10 9100 light.ranked
ranked                       SRV 10 90 9100 heavy-b.ranked
ranked                       SRV 10 90 9100 heavy-a.ranked
last.ranked                  A 10.4.0.4
light.ranked                 A 10.4.0.3
heavy-b.ranked               A 10.4.0.2
heavy-a.ranked               A 10.4.0.1
"""
# Its targets are in other zones, so that no address comes along.
DIRECTORY = """
far          SRV 0 1 9100 one.machines.test.
far          SRV 0 1 9100 two.machines.test.
aliased      SRV 0 1 9100 alias.machines.test.
abroad       SRV 0 1 9100 abroad.machines.test.
partly       SRV 0 1 9100 one.machines.test.
partly       SRV 0 1 9100 gone.machines.test.
partly       SRV 0 1 9100 bare.machines.test.
nowhere      SRV 0 1 9100 gone.machines.test.
nowhere      SRV 0 1 9100 bare.machines.test.
unknown      SRV 0 1 9100 gone.machines.test.
unknown      SRV 0 1 9100 pod.broken.test.
numeric      SRV 0 1 9100 10.7.7.7.
strange      SRV 0 1 9100 a\\@b.machines.test.
strange      SRV 0 1 9100 one.machines.test.
nickname     CNAME far
"""
MACHINES = """
one     A 10.5.0.1
two     A 10.5.0.2
two     AAAA fd12:34::52
alias   CNAME one
abroad  CNAME pod.far.test.
bare    TXT "a machine without an address"
ping    CNAME pong.far.test.
"""
FAR = """
pod     A 10.6.0.1
pong    CNAME ping.machines.test.
"""
MANY = 400
CROWD = "\n".join(
    f"crowd SRV 0 1 9100 pod-{n:03}.crowd\npod-{n:03}.crowd A 10.8.{n // 250}.{n % 250 + 1}"
    for n in range(MANY)
)
ZONES = {
    "cluster.local": CLUSTER,
    "directory.test": DIRECTORY,
    "machines.test": MACHINES,
    "far.test": FAR,
    "crowd.test": CROWD,
    "broken.test": None,
}
