//! A minimal Debian 12 in a folder, entered by `chroot` in namespaces of its own, so that every mount is
//! gone with the process that needed it.

use crate::unit::Unit;
use anyhow::{Context, Result, bail};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use strowger_tests::{process, within};
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};

/// Longest that one command in the chroot may take.
const COMMAND: Duration = Duration::from_secs(300);
/// Longest that a service may take until it is ready, or ended.
const SERVICE: Duration = Duration::from_secs(60);

/// Runs `$SCRIPT` as root, with the network and a place for fetched packages that outlives the chroot.
const ENTER: &str = r#"
    mount -t proc proc "$ROOT/proc"
    mount --rbind /dev "$ROOT/dev"
    mount --bind "$SHARED" "$ROOT/mnt"
    mount --bind "$ARCHIVES" "$ROOT/var/cache/apt/archives"
    exec chroot "$ROOT" /bin/sh -ec "$SCRIPT"
"#;

/// Runs `$EXEC` as its unit does: as its user, without capabilities, on a file system that is read-only
/// but for its state. Its only network is a loopback of its own, so the packaged ports are free.
/// strace notes each system call that the unit's filter would refuse.
const SERVE: &str = r#"
    ip link set lo up
    mount --bind "$ROOT" "$ROOT"
    mount -t proc proc "$ROOT/proc"
    mount --rbind /dev "$ROOT/dev"
    mount --bind "$SHARED" "$ROOT/mnt"
    mount -t tmpfs tmpfs "$ROOT/tmp"
    mount --bind "$ROOT/var/lib/$STATE" "$ROOT/var/lib/$STATE"
    mount -o remount,bind,ro "$ROOT"
    umask "$UMASK"
    exec chroot "$ROOT" nice -n "$NICE" \
        setpriv --pdeathsig KILL --reuid "$USER" --regid "$GROUP" --init-groups \
        --no-new-privs --bounding-set -all --inh-caps -all \
        strace -D -f -qq --seccomp-bpf -e signal=none -e trace="$REFUSED" -o "/mnt/$TRACE" $EXEC
"#;

/// A minimal Debian 12, removed when dropped.
#[derive(Debug)]
pub(crate) struct Chroot {
    folder: TempDir,
    shared: TempDir,
    archives: PathBuf,
}

impl Chroot {
    /// Unpacks the base tree below `cache`, which is made when it is not there yet.
    ///
    /// # Errors
    /// We are not root, or no mirror answers.
    pub(crate) async fn new(scripts: &Path, cache: &Path) -> Result<Self> {
        if std::fs::metadata("/proc/self")?.uid() != 0 {
            bail!("this test makes a chroot and mounts in it: run it as root, in a virtual machine or a container");
        }
        let base = cache.join("bookworm.tar");
        output(Command::new(scripts.join("base-tree")).arg(&base)).await?;
        let chroot = Self {
            folder: tempfile::tempdir_in(cache)?,
            shared: tempfile::tempdir()?,
            archives: cache.join("archives"),
        };
        std::fs::create_dir_all(chroot.archives.join("partial"))?;
        // Both are entered by other users than root.
        for open in [chroot.root(), chroot.shared()] {
            std::fs::set_permissions(open, PermissionsExt::from_mode(0o755))?;
        }
        output(Command::new("tar").arg("-xf").arg(&base).arg("-C").arg(chroot.root())).await?;
        for name in ["resolv.conf", "hosts"] {
            std::fs::copy(Path::new("/etc").join(name), chroot.root().join("etc").join(name))?;
        }
        Ok(chroot)
    }

    /// Its `/`, seen from outside.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that it sees as `/mnt`.
    pub(crate) fn shared(&self) -> &Path {
        self.shared.path()
    }

    /// Runs a script as root and returns what it printed.
    ///
    /// # Errors
    /// It fails.
    pub(crate) async fn run(&self, script: &str) -> Result<String> {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-ec", ENTER])
            .env("ROOT", self.root())
            .env("SHARED", self.shared())
            .env("ARCHIVES", &self.archives)
            .env("SCRIPT", script)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C.UTF-8");
        output(&mut command).await
    }

    /// Starts a service by its unit and waits until it says that it is ready.
    ///
    /// # Errors
    /// It ends instead, or takes too long.
    pub(crate) async fn serve(&self, unit: &Unit) -> Result<Service> {
        let socket = self.shared().join("notify");
        let _ = std::fs::remove_file(&socket);
        let notices = UnixDatagram::bind(&socket)?;
        std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666))?;
        let log = self.shared().join(format!("{}.log", unit.name));
        let trace = self.shared().join(format!("{}.trace", unit.name));
        std::fs::write(&trace, "")?;
        std::fs::set_permissions(&trace, PermissionsExt::from_mode(0o666))?;
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--net", "--", "sh", "-ec", SERVE])
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("ROOT", self.root())
            .env("SHARED", self.shared())
            .env("EXEC", unit.value("ExecStart")?)
            .env("USER", unit.value("User")?)
            .env("GROUP", unit.value("Group")?)
            .env("STATE", unit.value("StateDirectory")?)
            .env("UMASK", unit.value("UMask")?)
            .env("NICE", unit.value("Nice")?)
            .env("REFUSED", unit.refused().await?)
            .env("TRACE", format!("{}.trace", unit.name))
            .env("NOTIFY_SOCKET", "/mnt/notify")
            .env("STROWGER__LOG__FORMAT", "json")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?);
        let mut service = Service {
            name: unit.name.clone(),
            child: process::start(&mut command)?,
            log,
            trace,
        };
        let readiness = within(SERVICE, "ready", async {
            let mut notice = [0; 256];
            loop {
                tokio::select! {
                    length = notices.recv(&mut notice) => {
                        if String::from_utf8_lossy(&notice[..length?]).lines().any(|line| line == "READY=1") {
                            return Ok(());
                        }
                    }
                    status = service.child.wait() => bail!("it ended: {}", status?),
                }
            }
        });
        readiness.await.with_context(|| service.story())?;
        Ok(service)
    }
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Service {
    name: String,
    child: Child,
    log: PathBuf,
    trace: PathBuf,
}

impl Service {
    /// Runs a program of this machine on the service's own network and returns what it printed.
    ///
    /// # Errors
    /// It fails.
    pub(crate) async fn beside(&self, program: &[&str]) -> Result<String> {
        let pid = self.child.id().context("the service ended")?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{pid}/ns/net"))
            .arg("--")
            .args(program)
            .env("no_proxy", "*");
        output(&mut command).await.with_context(|| self.story())
    }

    /// Asks it to end, as systemd does, and waits until it has.
    ///
    /// # Errors
    /// It fails, takes too long, or made a system call that its unit refuses.
    pub(crate) async fn stop(mut self) -> Result<()> {
        process::signal(self.child.id().context("the service ended")?, "TERM").await?;
        let ending = within(SERVICE, "ended", async { Ok(self.child.wait().await?) }).await;
        let status = ending.with_context(|| self.story())?;
        if !status.success() {
            bail!("{}: {status}", self.story());
        }
        let trace = std::fs::read_to_string(&self.trace)?;
        // A thread that ends while it is looked at leaves a line in which strace can name no call.
        let refused: Vec<&str> = trace.lines().filter(|line| !line.contains("???(")).collect();
        if !refused.is_empty() {
            bail!(
                "{} makes calls that its unit refuses:\n{}",
                self.name,
                refused.join("\n")
            );
        }
        Ok(())
    }

    fn story(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        format!("{} said:\n{log}", self.name)
    }
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// It fails, or takes too long.
pub(crate) async fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{:?}", command.as_std().get_program());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = within(COMMAND, &shown, async { Ok(command.output().await?) }).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{shown}: {}\n{said}\n{complaint}", output.status);
    }
    Ok(said)
}
