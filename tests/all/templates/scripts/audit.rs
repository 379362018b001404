//! The program that the build runs over every file of the base.

use std::path::Path;
use std::process::Command;

use crate::support::tools::system_tool;

/// Holds the compiled audit program against a sound root file system and against each way to break one.
pub(in super::super) fn audit_judges(program: &Path) {
    let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let (true, Some(_)) = (certificates.is_file(), system_tool("ls")) else { return };
    let judge = |spoil: &str, arch: &str| {
        let folder = tempfile::tempdir().unwrap();
        let sound = format!(
            "umask 022; mkdir -p root/etc/ssl/certs root/usr/bin root/tmp && chmod 1777 root/tmp
             cp {} root/etc/ssl/certs/ && cp {} root/usr/bin/static
             echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' > root/etc/passwd
             echo 'nonroot:x:65532:' > root/etc/group
             mkdir root/etc/update-motd.d && cd root/etc/update-motd.d
             printf '#!/bin/sh' > 10-uname && chmod +x 10-uname && cd ../../..
             for zone in UTC America/New_York Asia/Tokyo Europe/Berlin; do
               mkdir -p \"$(dirname root/usr/share/zoneinfo/$zone)\"; printf TZif2 > root/usr/share/zoneinfo/$zone
             done
             {spoil}
             {} -root root -arch {arch} -out report.json && cat report.json",
            certificates.display(),
            program.display(),
            program.display(),
        );
        let output = Command::new("/bin/bash").args(["-euc", &sound]).current_dir(&folder).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let native = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let foreign = if native == "arm64" { "amd64" } else { "arm64" };
    let (passed, said) = judge("", native);
    assert!(passed, "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["elfExecutables"], serde_json::json!(["/usr/bin/static"]));
    assert_eq!(report["user"], "nonroot");
    for (spoil, reason) in [
        ("cp /bin/bash root/usr/bin/renamed", "/usr/bin/renamed needs a loader"),
        ("printf x > root/usr/bin/sh; chmod +x root/usr/bin/sh", "/usr/bin/sh is a shell"),
        ("mkdir root/bin; ln -s ../usr/bin/static root/bin/bash", "/bin/bash is a shell"),
        ("cp root/usr/bin/static root/usr/bin/apt-get", "/usr/bin/apt-get is a package manager"),
        ("chmod u+s root/usr/bin/static", "/usr/bin/static is setuid or setgid"),
        ("chmod 777 root/etc", "/etc is world-writable"),
        ("printf x > root/etc/open; chmod 666 root/etc/open", "/etc/open is world-writable"),
        ("sed -i s,/sbin/nologin,/bin/sh, root/etc/passwd", "user 65532 logs in with /bin/sh"),
        ("sed -i s/65532/1000/ root/etc/passwd", "no user has the number 65532"),
        ("rm root/usr/share/zoneinfo/UTC", "time zone UTC is missing"),
        ("echo > root/etc/ssl/certs/ca-certificates.crt", "the CA bundle holds 0 certificates"),
        ("rm root/etc/group", "/etc/group is missing"),
        ("echo 'nonroot:x:1:' > root/etc/group", "no group has the number 65532"),
        ("echo 'admin:x:5:5::/:/bin/zsh' >> root/etc/passwd", "user 5 logs in with /bin/zsh"),
        ("echo 'admin::5:5::/:/sbin/nologin' >> root/etc/passwd", "user 5 logs in without a password"),
        ("echo 'admin:x:0:0::/:/sbin/nologin' >> root/etc/passwd", "user admin has all rights"),
        ("printf '#!/usr/bin/static' > root/usr/bin/x; chmod +x root/usr/bin/x", "/usr/bin/x is an executable script"),
        ("cp root/usr/bin/static root/usr/bin/ld-linux.so.9", "/usr/bin/ld-linux.so.9 is a loader"),
        ("cp /lib/*/libc.so.6 root/usr/bin/", "/usr/bin/libc.so.6 is a shared library"),
        (
            "ln -s b root/etc/ssl/a; ln -s a root/etc/ssl/b; rm -r root/etc/ssl/certs; ln -s a root/etc/ssl/certs",
            "a link without an end",
        ),
        ("rm -r root; mkdir root", "root is empty"),
    ] {
        let (passed, said) = judge(spoil, native);
        assert!(!passed && said.contains(reason), "{spoil}: {said}");
    }
    let (passed, said) = judge("", foreign);
    assert!(!passed && said.contains("is built for"), "{said}");
    // A base that got better stops no release.
    let (passed, better) = judge("rm root/etc/update-motd.d/10-uname", native);
    assert!(
        passed && better.contains("warning: /etc/update-motd.d/10-uname is exempted and no longer needs it"),
        "{better}"
    );
}
