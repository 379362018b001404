// Audit reads the root file system of a base image and fails when it breaks a promise of image.toml.
// It runs while the image is built; its report becomes part of the image.
package main

import (
	"bufio"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	wantUser            = "65532"
	minimumCertificates = 100
)

// Names that start an interactive or scripted shell, or install software.
var forbidden = map[string]string{
	"ash": "shell", "bash": "shell", "busybox": "shell", "csh": "shell", "dash": "shell", "fish": "shell",
	"ksh": "shell", "mksh": "shell", "sh": "shell", "tcsh": "shell", "toybox": "shell", "zsh": "shell",
	"apk": "package manager", "apt": "package manager", "apt-get": "package manager", "aptitude": "package manager",
	"dnf": "package manager", "dpkg": "package manager", "microdnf": "package manager", "opkg": "package manager",
	"pacman": "package manager", "pip": "package manager", "pip3": "package manager", "rpm": "package manager",
	"yum": "package manager", "zypper": "package manager",
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

var zones = []string{"UTC", "America/New_York", "Asia/Tokyo", "Europe/Berlin"}

// Report is what the image carries as audit.json. Field order and content depend on the file system alone.
type Report struct {
	Architecture   string   `json:"architecture"`
	User           string   `json:"user"`
	Files          int      `json:"files"`
	Executables    []string `json:"elfExecutables"`
	CACertificates int      `json:"caCertificates"`
	Checks         []string `json:"checks"`
}

func main() {
	root := flag.String("root", "", "folder that holds the image's root file system")
	arch := flag.String("arch", "", "architecture of the image: amd64 or arm64")
	out := flag.String("out", "", "file that the report is written to")
	flag.Parse()
	report, problems := audit(*root, *arch)
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, "audit:", problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err == nil {
		err = os.WriteFile(*out, append(text, '\n'), 0o444)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

func audit(root, arch string) (Report, []string) {
	report := Report{Architecture: arch, Executables: []string{}, Checks: []string{
		"no shell", "no package manager", "no setuid or setgid file", "nothing world-writable but sticky folders",
		"no executable that needs a loader", "no executable of another architecture", "user without login shell",
		"CA certificates", "time zones",
	}}
	var problems []string
	refuse := func(format string, values ...any) { problems = append(problems, fmt.Sprintf(format, values...)) }

	machine, known := machines[arch]
	if !known {
		refuse("architecture %q is not known", arch)
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode()
		report.Files++
		if kind, found := forbidden[entry.Name()]; found && isProgram(mode) {
			refuse("%s is a %s", name, kind)
		}
		if mode.IsRegular() && mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			refuse("%s is setuid or setgid", name)
		}
		sticky := mode.IsDir() && mode&fs.ModeSticky != 0
		if mode&fs.ModeSymlink == 0 && mode.Perm()&0o002 != 0 && !sticky {
			refuse("%s is world-writable", name)
		}
		if !mode.IsRegular() {
			return nil
		}
		isELF, err := checkELF(path, machine)
		if isELF {
			report.Executables = append(report.Executables, name)
		}
		if err != nil {
			refuse("%s %v", name, err)
		}
		return nil
	})
	if err != nil {
		refuse("can't read the file system: %v", err)
	}
	if report.Files < 2 {
		refuse("%s is empty", root)
	}
	if report.User, err = checkUser(filepath.Join(root, "etc/passwd")); err != nil {
		refuse("%v", err)
	}
	if report.CACertificates, err = countCertificates(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")); err != nil {
		refuse("%v", err)
	}
	for _, zone := range zones {
		content, err := os.ReadFile(filepath.Join(root, "usr/share/zoneinfo", zone))
		if err != nil || !strings.HasPrefix(string(content), "TZif") {
			refuse("time zone %s is missing", zone)
		}
	}
	return report, problems
}

// A link counts: it would start what it points to.
func isProgram(mode fs.FileMode) bool {
	return mode&fs.ModeSymlink != 0 || mode.IsRegular() && mode.Perm()&0o111 != 0
}

func checkELF(path string, machine elf.Machine) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	magic := make([]byte, 4)
	if n, _ := file.ReadAt(magic, 0); n < 4 || string(magic) != elf.ELFMAG {
		return false, nil
	}
	program, err := elf.NewFile(file)
	if err != nil {
		return true, fmt.Errorf("is a damaged ELF file: %w", err)
	}
	if program.Machine != machine {
		return true, fmt.Errorf("is built for %v", program.Machine)
	}
	for _, header := range program.Progs {
		if header.Type == elf.PT_INTERP {
			return true, errors.New("needs a loader")
		}
	}
	if libraries, err := program.ImportedLibraries(); err == nil && len(libraries) > 0 {
		return true, fmt.Errorf("needs %s", strings.Join(libraries, ", "))
	}
	return true, nil
}

func checkUser(passwd string) (string, error) {
	file, err := os.Open(passwd)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) != 7 || fields[2] != wantUser {
			continue
		}
		if fields[3] != wantUser {
			return "", fmt.Errorf("user %s is in group %s", wantUser, fields[3])
		}
		if shell := filepath.Base(fields[6]); shell != "nologin" && shell != "false" {
			return "", fmt.Errorf("user %s logs in with %s", wantUser, fields[6])
		}
		return fields[0], nil
	}
	return "", fmt.Errorf("no user has the number %s", wantUser)
}

func countCertificates(bundle string) (int, error) {
	rest, err := os.ReadFile(bundle)
	if err != nil {
		return 0, err
	}
	count := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			count++
		}
	}
	if count < minimumCertificates {
		return count, fmt.Errorf("the CA bundle holds %d certificates, not %d or more", count, minimumCertificates)
	}
	return count, nil
}
