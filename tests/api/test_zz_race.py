from tests.api.conftest import *
from concurrent.futures import ThreadPoolExecutor
import collections
def test_race(office):
    c=collections.Counter()
    for n in range(40):
        with ThreadPoolExecutor(12) as ex:
            rs=list(ex.map(lambda _: office.post(person(f"r{n}"), key=f"race-{n}"), range(12)))
        for r in rs: c[(r.status_code, r.json().get("code"))]+=1
    print(c)
