"""What every broker promises, as tests: a third-party broker inherits them.

Floor 3, for test suites. A subclass whose name begins with `Test` gives the fixture
`make_broker`; a broker that several processes share inherits `SharedBrokerContract` and gives
`vanish` as well:

    class TestMyBroker(SharedBrokerContract):
        @pytest.fixture
        def make_broker(self, tmp_path):
            with closing_brokers(lambda **options: MyBroker(tmp_path, **options)) as make:
                yield make

        @pytest.fixture
        def vanish(self, tmp_path):
            return lambda: shutil.rmtree(tmp_path)
"""

from __future__ import annotations

from .broker import BrokerContract
from .makers import MakeBroker, closing_brokers
from .shared import SharedBrokerContract
from .walks import walk

__all__ = ["BrokerContract", "MakeBroker", "SharedBrokerContract", "closing_brokers", "walk"]
