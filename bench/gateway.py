"""A real S3 server for the benches: Ceph's gateway before one monitor and one object store in memory, all on 127.0.0.1.
Needs Debian's packages radosgw, ceph-mon, ceph-osd and ceph-common; runs without systemd, in a folder of its own."""
import base64, email.utils, hashlib, hmac, json, os, pathlib, shutil, signal, subprocess, time, urllib.error, urllib.request, uuid

from instance import until

CONF = """[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:13300,v1:127.0.0.1:16789]
mon initial members = a
public network = 127.0.0.0/8
keyring = {folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 2147483648
osd crush chooseleaf type = 0
ms bind ipv6 = false
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
mon data avail crit = 0
mon data avail warn = 0
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw thread pool size = 16
# A quota counts at once, and what is removed is gone at once.
rgw bucket quota ttl = 0
rgw gc obj min wait = 0
"""


class Gateway:
    PORT, KEY, SECRET = 13380, "strowger", "hush-hush"

    def __init__(self, work):
        self.folder = pathlib.Path(work) / "ceph"
        self.url, self.children = f"http://127.0.0.1:{self.PORT}", {}
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("mon", "osd"):
            (self.folder / name).mkdir(parents=True)
        self.log = open(self.folder / "output", "wb")
        fsid, store = str(uuid.uuid4()), str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(CONF.format(fsid=fsid, folder=self.folder, port=self.PORT))
        keyring = self.folder / "keyring"
        for turn, name in enumerate(("mon.", "client.admin", "client.rgw", "osd.0")):
            rights = [] if name == "mon." else ["--cap", "mgr", "allow *", "--cap", "osd", "allow *"]
            self.run("ceph-authtool", *(["-C"] if not turn else []), keyring, "--gen-key", "-n", name, "--cap", "mon", "allow *", *rights)
        self.run("monmaptool", "--create", "--addv", "a", "[v2:127.0.0.1:13300,v1:127.0.0.1:16789]", "--fsid", fsid, self.folder / "monmap")
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", self.folder / "monmap", "--keyring", keyring)
        self.begin("ceph-mon", "-i", "a")
        self.run("ceph", "osd", "new", store)
        self.run("ceph", "auth", "import", "-i", keyring)
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
        self.run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=here")
        self.begin("ceph-osd", "-i", "0")
        until("object store", 60, lambda: b" 1 up" in self.run("ceph", "osd", "stat"))
        self.admin("user", "create", "--uid=strowger", "--display-name=strowger", f"--access-key={self.KEY}", f"--secret-key={self.SECRET}")
        self.start()

    def run(self, program, *more):
        conf = [] if program in ("ceph-authtool", "monmaptool") else ["-c", self.folder / "ceph.conf"]
        return subprocess.check_output([program, *conf, *more], stderr=self.log)

    def admin(self, *more):
        return json.loads(self.run("radosgw-admin", "-n", "client.rgw", *more) or b"null")

    def begin(self, program, *more):
        self.children[program] = subprocess.Popen([program, "-c", self.folder / "ceph.conf", "-f", *more], stdout=self.log, stderr=self.log)

    def start(self):
        self.begin("radosgw", "-n", "client.rgw")
        until("gateway", 60, self.answers)

    def answers(self):
        try:
            return urllib.request.urlopen(self.url, timeout=5).status == 200
        except OSError:
            return False

    def kill(self, program="radosgw"):
        child = self.children.pop(program)
        child.send_signal(signal.SIGKILL)
        child.wait()

    def ask(self, method, path, body=None):
        """A request of the user's, by the older signature, which takes four lines."""
        date = email.utils.formatdate(usegmt=True)
        mine = hmac.new(self.SECRET.encode(), f"{method}\n\n\n{date}\n{path}".encode(), hashlib.sha1).digest()
        head = {"Date": date, "Authorization": f"AWS {self.KEY}:{base64.b64encode(mine).decode()}"}
        request = urllib.request.Request(self.url + path, body, head, method=method)
        return urllib.request.urlopen(request, timeout=60).read()

    def objects(self, bucket):
        return {one["name"]: one["meta"]["size"] for one in self.admin("bucket", "list", f"--bucket={bucket}", "--max-entries=100000") or []}

    def end(self):
        for program in reversed(list(self.children)):
            self.kill(program)
