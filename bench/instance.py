"""An instance of the product for the benches that hurt it: a sandbox's folder, whose programs are started and killed here."""
import contextlib, json, os, pathlib, shutil, signal, sqlite3, subprocess, sys, time, urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def until(what, seconds, ready):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: no {what} within {seconds} s")


class Postgres:
    """A server of this bench's own, which refuses to run as root. It also listens at the addresses `more`."""

    PORT = 7099

    def __init__(self, work, more=()):
        self.addresses = ",".join(["127.0.0.1", *more])
        self.data = work / "postgres"
        self.programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.url = f"postgres://strowger@127.0.0.1:{self.PORT}/postgres"
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        shutil.chown(self.data, "postgres", "postgres")
        self.run("initdb", "-U", "strowger", "--auth=trust")
        with open(self.data / "pg_hba.conf", "a") as rules:
            rules.writelines(f"host all all {address}/30 trust\n" for address in more)
        self.start()

    def run(self, program, *more):
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", self.programs / program, "-D", self.data, *more]
        subprocess.check_call(command, stdout=subprocess.DEVNULL)

    def start(self):
        options = f"-p {self.PORT} -c listen_addresses={self.addresses} -c unix_socket_directories={self.data}"
        self.run("pg_ctl", "-w", "-l", self.data / "log", "-o", options, "start")

    def stop(self):
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")


class Instance:
    """The folder of a sandbox, made below `beneath` or the system's temporary folder."""

    def __init__(self, work, debug=False, more=(), beneath=None, environment=None, server=None):
        self.work, self.server = work, server
        more = [*more, "--database", server.url] if server else more
        self.programs = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / ("debug" if debug else "release")
        self.log = open(work / "log", "wb")
        self.environment = dict(os.environ, STROWGER__WORKER__SUPERVISE="false", **(environment or {}))
        if beneath:
            self.environment["TMPDIR"] = str(beneath)
        sandbox = subprocess.Popen([self.programs / "strowger", "sandbox", "--bench", "--bench-devices", "1", *more], stdout=subprocess.PIPE, stderr=self.log, text=True, env=self.environment)
        self.card = json.loads(sandbox.stdout.readline())
        self.folder = pathlib.Path(self.card["data_dir"])
        # After a crash the sandbox leaves its folder.
        os.kill(self.card["pids"]["daemon"], signal.SIGKILL)
        sandbox.wait()
        self.config = self.folder / "strowger.toml"
        self.children = {}

    def start(self, program, name=None, before=()):
        """Starts a program, which is known by `name` from then on, by way of the command `before`."""
        command = [*before, self.programs / program, "serve", "--config", self.config]
        self.children[name or program] = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.environment)
        if program == "strowger":
            until("daemon", 60, self.answers)

    def answers(self):
        try:
            return urllib.request.urlopen(self.card["http"] + "/health", timeout=5).status == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, kind="application/json"):
        head = {"Authorization": f"Bearer {self.card['api_token']}", "Content-Type": kind}
        request = urllib.request.Request(self.card["http"] + path, body, head, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def kill(self, program, how=signal.SIGKILL):
        child = self.children.pop(program)
        child.send_signal(how)
        child.wait()

    def rows(self, statement):
        if self.server:
            out = subprocess.check_output(["psql", "-XAtq", "-F\t", "-c", "set strowger.tenant = '*'", "-c", statement, self.server.url], text=True)
            as_number = lambda cell: int(cell) if cell.lstrip("-").isdigit() else cell or None
            return [tuple(map(as_number, line.split("\t"))) for line in out.splitlines()]
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/strowger.db?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(statement).fetchall()

    def count(self, statement):
        return self.rows(f"select count(*) from {statement}")[0][0]

    def calls(self, count, seconds, settle=0.2, report=None, more=()):
        return subprocess.Popen([self.work / "callgen", "--target", self.card["sip"], "--uac", "127.0.0.1:7060", "--uas", "127.0.0.1:7070", "--calls", str(count), "--rate", "50", "--steady", str(seconds), "--settle", str(settle), "--number", "1001", "--media-base", "14000", "--max", str(seconds + 15), *more], stdout=report or subprocess.DEVNULL, stderr=self.log, text=True)

    def work_ends(self, seconds):
        """All captures have become recordings."""
        until("end of all work", seconds, lambda: self.count("recordings where state in ('captured', 'recording')") == 0)
        until("end of all captures", 120, lambda: self.count("recordings where capture_id is not null and state = 'ready'") == 0)

    @staticmethod
    def cut_of(answered, cuts):
        """The cut that ended a call; it may have been answered in the moment between the clock's look and the kill."""
        return min((k for k in cuts if k * 1000 >= (answered or 0) - 200), default=None)

    def lost(self, cuts):
        """The calls' rows, how many have a recording that can be played, and the seconds that each lacks, in order, that
        one of the moments `cuts` ended."""
        rows = self.rows("select c.answered_at, r.duration_ms, c.cause, r.state, r.size_bytes from calls c left join recordings r on r.call_id = c.id")
        lost = []
        for answered, duration, cause, state, _ in rows:
            cut = self.cut_of(answered, cuts)
            # Of a call that was cut before its first sound was written, all of it: there is nothing to play.
            if answered and cut and state in ("ready", "failed") and cause == "daemon_restart":
                lost.append(cut - answered / 1000 - (duration or 0) / 1000)
        return rows, sum(row[3] == "ready" and row[4] > 0 for row in rows), sorted(lost)

    def doctor(self):
        done = subprocess.run([self.programs / "strowger", "doctor", "recordings", "--config", self.config], stdout=subprocess.PIPE, text=True)
        return done.stdout.strip().split("\n")

    def end(self, keep):
        for program in list(self.children):
            self.kill(program, signal.SIGTERM)
        if self.server:
            self.server.stop()
        if keep:
            print(self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
