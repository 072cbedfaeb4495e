//! The Debian package: installed, run by its units' own lines, installed again, purged, in a chroot.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod chroot;
mod unit;

use chroot::{Chroot, output};
use std::path::{Path, PathBuf};
use strowger_tests::process;
use tokio::process::Command;
use unit::Unit;

const INSTALL: &str = "apt-get -qq install --no-install-recommends --reinstall /mnt/strowger.deb";
const CONFIGURATION: &str = "etc/strowger/strowger.toml";

/// Asks the console how things are and SIP what it can do, and prints both answers.
const ASK: &str = r"
import os, socket, ssl, sys, urllib.request
port, made_in = int(sys.argv[1]), sys.argv[2] + '/var/lib/strowger/tls'
# What the installation made for itself is what a stranger's handshake finds.
made = ssl.create_default_context(cafile=made_in + '/certificate.pem')
with urllib.request.urlopen('https://localhost:8080/health', timeout=60, context=made) as answer:
    print(answer.status, answer.read().decode())
print('key', oct(os.stat(made_in + '/key.pem').st_mode & 0o777))
phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
phone.settimeout(10)
phone.connect(('127.0.0.1', port))
us = '127.0.0.1:%d' % phone.getsockname()[1]
lines = [f'OPTIONS sip:127.0.0.1:{port} SIP/2.0', f'Via: SIP/2.0/UDP {us};rport;branch=z9hG4bKp1', 'Max-Forwards: 70',
         f'From: <sip:p@{us}>;tag=p', f'To: <sip:127.0.0.1:{port}>', 'Call-ID: p', 'CSeq: 1 OPTIONS', 'Content-Length: 0', '', '']
phone.send('\r\n'.join(lines).encode())
print(phone.recv(4096).decode().splitlines()[0])
with socket.create_connection(('127.0.0.1', 5061), timeout=60) as plain:
    with made.wrap_socket(plain, server_hostname='localhost') as phone:
        print('phones over', phone.version())
# In clear it takes no connection of a phone.
print('in clear', socket.socket().connect_ex(('127.0.0.1', port)) == 0)
";

/// Prints the vector registers that whisper.cpp's functions use. Other libraries choose among several
/// versions of a function when they run, so theirs may be wider.
const DISASSEMBLE: &str = r#"
objdump --disassemble --no-show-raw-insn "$1" | awk '
    /^[0-9a-f]+ </ { ours = $2 ~ /ggml|whisper|tinyBLAS|quantize/; name = $2 }
    ours && match($0, /%[yz]mm/) { found[substr($0, RSTART + 1, 3) " " name] = 1 }
    END { for (line in found) print line }'
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn units() -> [Unit; 2] {
    ["strowger.service", "strowger-worker.service"].map(|name| Unit::read(&root().join("systemd"), name).unwrap())
}

#[tokio::test]
async fn the_package_installs_runs_survives_a_reinstall_and_purges_cleanly() {
    let binaries = process::program("strowger").unwrap().parent().unwrap().to_owned();
    let target = binaries.parent().unwrap();
    let scripts = root().join("packaging/deb");
    let chroot = Chroot::new(&scripts, &target.join("package")).await.unwrap();
    let mut build = Command::new(scripts.join("build"));
    build
        .env("SKIP_BUILD", "1")
        .env("PROFILE", binaries.file_name().unwrap())
        .env("CARGO_TARGET_DIR", target)
        .env("OUTPUT", chroot.shared());
    let package = output(&mut build).await.unwrap();
    std::fs::rename(package.trim(), chroot.shared().join("strowger.deb")).unwrap();

    chroot.run(INSTALL).await.unwrap();
    let modes = "stat -c '%U:%G %a' /etc/strowger/strowger.toml /var/lib/strowger";
    let installed = "root:strowger 640\nstrowger:strowger 750\n";
    assert_eq!(chroot.run(modes).await.unwrap(), installed);
    assert_eq!(chroot.run("dpkg --verify strowger").await.unwrap(), "");
    run_both(&chroot, "5060").await;

    let configuration = chroot.root().join(CONFIGURATION);
    let changed = std::fs::read_to_string(&configuration).unwrap().replace("5060", "5070");
    std::fs::write(&configuration, &changed).unwrap();
    let state = "find /var/lib/strowger -type f -exec sha256sum {} + | sort -k 2";
    let before = chroot.run(state).await.unwrap();
    assert!(
        before.contains("/master.key") && before.contains("/strowger.db"),
        "{before}"
    );
    chroot.run(INSTALL).await.unwrap();
    assert_eq!(std::fs::read_to_string(&configuration).unwrap(), changed);
    assert_eq!(chroot.run(modes).await.unwrap(), installed);
    assert_eq!(chroot.run(state).await.unwrap(), before);
    run_both(&chroot, "5070").await;

    chroot.run("apt-get -qq remove strowger").await.unwrap();
    assert!(!chroot.root().join("usr/bin/strowger").exists());
    assert!(configuration.exists() && chroot.root().join("var/lib/strowger/strowger.db").exists());
    chroot.run("apt-get -qq purge strowger").await.unwrap();
    let left = "find / -xdev -name '*strowger*' -not -path '/mnt/*' -not -path '/proc/*'
        grep -l strowger /etc/passwd /etc/group /etc/shadow /etc/gshadow || true";
    assert_eq!(chroot.run(left).await.unwrap(), "");
}

/// Starts daemon and worker, asks the daemon, ends both.
async fn run_both(chroot: &Chroot, sip_port: &str) {
    let [daemon, worker] = units();
    let daemon = chroot.serve(&daemon).await.unwrap();
    let worker = chroot.serve(&worker).await.unwrap();
    let answers = daemon
        .beside(&["python3", "-c", ASK, sip_port, &chroot.root().display().to_string()])
        .await
        .unwrap();
    assert!(answers.starts_with("200 {"), "{answers}");
    assert!(answers.contains("\nkey 0o600\n"), "{answers}");
    assert!(answers.contains("SIP/2.0 200 "), "{answers}");
    assert!(answers.contains("\nphones over TLSv1.3\n"), "{answers}");
    assert!(answers.contains("\nin clear False\n"), "{answers}");
    worker.stop().await.unwrap();
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn both_units_are_hardened() {
    for unit in units() {
        let mut analysis = Command::new("systemd-analyze");
        analysis
            .args(["security", "--offline=true", "--no-pager", "--threshold=20"])
            .arg(&unit.path);
        output(&mut analysis).await.unwrap();
    }
}

#[tokio::test]
async fn speech_recognition_needs_no_more_than_avx2() {
    let worker = process::program("strowger-worker").unwrap();
    let mut listing = Command::new("sh");
    listing.args(["-ec", DISASSEMBLE, "sh"]).arg(&worker);
    let wide = output(&mut listing).await.unwrap();
    let functions = |register: &str| wide.lines().filter(|line| line.starts_with(register)).count();
    assert!(functions("ymm ") > 10, "built without AVX2");
    let too_wide: Vec<&str> = wide.lines().filter(|line| line.starts_with("zmm ")).collect();
    assert!(too_wide.is_empty(), "built for AVX-512: {too_wide:?}");
}
