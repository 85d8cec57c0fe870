"""The commands of a page: started, waited for, compared with what the page says, and ended."""

from __future__ import annotations

from pathlib import Path

from . import servers, unrun
from .blocks import Block
from .commands import LIMIT, Command, environment, wait_for
from .expected import Epochs, Expected
from .failure import PageFailure
from .ports import Ports
from .python_blocks import PythonBlocks
from .terminals import Terminal, Terminals

# A stream that is open still has this long to show that it says more than the page (seconds).
QUIET = 0.3


class Processes:
    """Everything that a page has started, by name and by port."""

    def __init__(self, folder: Path, patience: float = LIMIT) -> None:
        """`patience` is how long a line that the page promises may take (seconds)."""
        self._folder = folder
        self._patience = patience
        self._ports = Ports()
        self._epochs = Epochs()
        self._environment = environment(folder, servers.settings(self._ports))
        self._named: dict[str, Command | PythonBlocks] = {}
        self._servers: dict[str, Command] = {}
        self._started: list[Command] = []
        self._terminals = Terminals(folder)
        self._terminal: Terminal | None = None

    def stop(self) -> None:
        for command in self._started:
            command.kill()
        python = self._named.get("python")
        if isinstance(python, PythonBlocks):
            python.stop()

    def real(self, text: str) -> str:
        """A text of the page with the ports and ids of this run."""
        return self._epochs.replace(self._ports.replace(text))

    def expected(self, lines: list[str], *, begins: bool = True) -> Expected:
        return Expected(lines, self._epochs, begins=begins)

    def begin_console(self, texts: list[str]) -> None:
        """Go to the terminal in which these are typed."""
        ports = [servers.port_of(text, self._ports) for text in texts if servers.serves(text)]
        replaced = next((self._servers[port] for port in ports if port in self._servers), None)
        self._terminal = self._terminals.of(replaced) if replaced else None

    def execute(self, block: Block) -> None:
        """Execute a Python block."""
        python = self._named.get("python")
        if not isinstance(python, PythonBlocks):
            python = PythonBlocks(self._folder, self._environment)
            self._named["python"] = python
        failed = python.execute(block.page, block.line + 1, self.real(block.text))
        if failed:
            raise PageFailure(f"{block.where}: {self._shown(failed)}")

    def command(
        self, block: Block, text: str, expected: Expected, name: str | None, *, fails: bool = False
    ) -> None:
        """Do with a command what its kind asks for."""
        known, wrong = unrun.check(text)
        if wrong:
            raise PageFailure(f"{block.where}: $ {text}\n{wrong}")
        if known:
            return
        if servers.serves(text):
            self._serve(block, text, expected, name or "server")
        elif name is not None:
            self._named[name] = command = self._start(text, background=True)
            self._await(block, text, expected, command)
        else:
            self._run(block, text, expected, fails=fails)

    def restart(self) -> None:
        """What a reader's `--debug` does when a Python file has changed."""
        for port, server in list(self._servers.items()):
            if "--debug" in server.text and not server.ended:
                server.stop()
                self._terminal = self._terminals.of(server)
                again = self._servers[port] = self._start(server.text, background=True)
                self._named = {
                    name: again if command is server else command
                    for name, command in self._named.items()
                }
                self._wait_until_up(again)

    def prints(self, block: Block, name: str) -> None:
        """Compare what a command that goes on has printed since it was last asked."""
        command = self._named.get(name)
        if command is None:
            raise PageFailure(f"{block.where}: there is no command named {name!r} above.")
        self._await(block, name, self.expected(block.text.splitlines(), begins=False), command)
        if block.mark("ends") is not None:
            ended = wait_for(lambda: command.ended, self._patience)
            if not ended or self._printed(command).strip():
                raise PageFailure(f"{block.where}: {name} goes on:\n{self._printed(command)}")

    def _start(self, text: str, *, background: bool) -> Command:
        real = self.real(text)
        terminal = self._terminal or self._terminals.free()
        command = Command(
            real, self._folder, self._environment, terminal.state, background=background
        )
        self._started.append(command)
        if background:
            terminal.occupant, self._terminal = command, None
        return command

    def _run(self, block: Block, text: str, expected: Expected, *, fails: bool) -> None:
        command = self._start(text, background=False)
        streams = text.startswith("curl") and " -N" in text

        def enough() -> bool:
            # A stream may go on for ever; what ends is compared as a whole.
            stoppable = expected.interrupted or streams
            return command.ended or (stoppable and expected.begin(self._printed(command)))

        good = wait_for(enough, self._patience)
        if expected.interrupted:
            good = good and expected.begin(self._printed(command))
        else:
            if good and streams:
                wait_for(lambda: command.ended, QUIET)
            good = good and expected.all_of(self._printed(command))
        code = command.process.poll()
        command.interrupt()
        if not good:
            self._fail(block, text, expected, self._printed(command))
        if code if not fails else not code:
            raise PageFailure(f"{block.where}: $ {text}\nended with status {code}.")

    def _serve(self, block: Block, text: str, expected: Expected, name: str) -> None:
        port = servers.port_of(text, self._ports)
        if port in self._servers:
            self._servers[port].interrupt()
        command = self._start(text, background=True)
        self._servers[port] = self._named[name] = command

        def ready() -> bool:
            if servers.announces(text):
                up = servers.answers(command)
            else:
                up = not port.isdecimal() or servers.connects(self._ports.used(port))
            return command.ended or (up and expected.within(self._printed(command)))

        done = wait_for(ready)
        printed = self._printed(command)
        # One that is shown to refuse ends with what the page says.
        if not done or not expected.within(printed) or (command.ended and not expected):
            self._fail(block, text, expected, printed)

    def _wait_until_up(self, server: Command) -> None:
        up = wait_for(lambda: server.ended or servers.answers(server))
        if server.ended or not up:
            raise PageFailure(f"The server did not start again:\n{self._shown(server.printed)}")

    def _await(
        self, block: Block, text: str, expected: Expected, command: Command | PythonBlocks
    ) -> None:
        """Wait until the next lines have come; a server prints others between them."""
        serves = command in self._servers.values()
        compare = expected.within if serves else expected.begin
        if not expected:
            return
        came = wait_for(lambda: compare(self._printed(command)), self._patience)
        printed = self._printed(command)
        if not came:
            self._fail(block, text, expected, printed)
        command.seen += len(printed) if serves else expected.length_in(printed) or 0

    def _printed(self, command: Command | PythonBlocks) -> str:
        return self._ports.restore(command.printed)[command.seen :]

    def _shown(self, text: str) -> str:
        return text.replace(str(self._folder), ".")

    def _fail(self, block: Block, text: str, expected: Expected, printed: str) -> None:
        logs = [f"\n--- {each.text}\n{each.printed[-3000:]}" for each in self._servers.values()]
        raise PageFailure(
            f"{block.where}: $ {text}\n--- the page says\n{expected}\n--- it printed\n"
            f"{self._shown(printed)}{''.join(logs)}"
        )
