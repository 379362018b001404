package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Names that start an interactive or scripted shell, or install software.
var (
	shells = words("ash bash busybox csh dash elvish fish ksh ksh93 mksh nu oksh posh pwsh rbash rc sh tcsh toybox xonsh " +
		"yash zsh")
	packageManagers = words("apk apt apt-get aptitude dnf dnf5 dpkg guix ipkg microdnf nix nix-env opkg pacman pip pip3 rpm " +
		"snap tdnf yum zypper")
)

type image struct {
	root, arch string
	promises   Promises
	report     Report
	problems   []string
	exempted   map[string]bool
}

func (i *image) refuse(format string, values ...any) {
	i.problems = append(i.problems, fmt.Sprintf(format, values...))
}

// on is where a path of the image is while the image is built.
func (i *image) on(name string) string {
	return filepath.Join(i.root, filepath.FromSlash(name))
}

// follow finds what a path names, with links followed inside the image.
func (i *image) follow(name string) (string, error) {
	at, rest, links := "/", strings.Split(name, "/"), 0
	for len(rest) > 0 {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(i.on(next))
		if err != nil {
			return "", fmt.Errorf("%s is missing", name)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > 40 {
			return "", fmt.Errorf("%s is a link without an end", name)
		}
		target, err := os.Readlink(i.on(next))
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// read returns a file's content, with links followed inside the image.
func (i *image) read(name string) ([]byte, error) {
	found, err := i.follow(name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(i.on(found))
}

func (i *image) checkFiles() {
	err := filepath.WalkDir(i.root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		below, err := filepath.Rel(i.root, file)
		if err != nil {
			return err
		}
		i.report.Files++
		i.checkFile(path.Join("/", filepath.ToSlash(below)), info.Mode())
		return nil
	})
	if err != nil {
		i.refuse("can't read the file system: %v", err)
	}
	if i.report.Files < 2 {
		i.refuse("%s is empty", i.root)
	}
}

func (i *image) checkFile(name string, mode fs.FileMode) {
	// A link counts: it would start what it points to.
	if mode&fs.ModeSymlink != 0 || mode.IsRegular() && mode.Perm()&0o111 != 0 {
		if base := path.Base(name); !i.promises.Shell && shells[base] {
			i.refuse("%s is a shell", name)
		} else if !i.promises.PackageManager && packageManagers[base] {
			i.refuse("%s is a package manager", name)
		} else if len(i.promises.Loader) == 0 && isLoaderName(base) {
			i.refuse("%s is a loader", name)
		}
	}
	if mode.IsRegular() && mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		i.refuse("%s is setuid or setgid", name)
	}
	if mode&fs.ModeDevice != 0 {
		i.refuse("%s is a device", name)
	}
	sticky := mode.IsDir() && mode&fs.ModeSticky != 0
	if mode&fs.ModeSymlink == 0 && mode.Perm()&0o002 != 0 && !sticky {
		i.refuse("%s is world-writable", name)
	}
	if !mode.IsRegular() {
		return
	}
	if size, err := syscall.Getxattr(i.on(name), "security.capability", nil); size > 0 {
		i.refuse("%s has a file capability", name)
	} else if err != nil && !errors.Is(err, syscall.ENODATA) && !errors.Is(err, syscall.ENOTSUP) {
		i.refuse("%s: can't tell whether it has a file capability: %v", name, err)
	}
	i.checkContent(name, mode)
}

func (i *image) checkContent(name string, mode fs.FileMode) {
	file, err := os.Open(i.on(name))
	if err != nil {
		i.refuse("can't read %s: %v", name, err)
		return
	}
	defer file.Close()
	magic := make([]byte, 4)
	n, _ := file.ReadAt(magic, 0)
	if n >= 2 && string(magic[:2]) == "#!" && mode.Perm()&0o111 != 0 {
		if _, found := i.promises.Exemptions[name]; !found {
			i.refuse("%s is an executable script", name)
		}
		i.exempted[name] = true
	}
	if n == 4 && string(magic) == "\x7fELF" {
		i.report.Executables = append(i.report.Executables, name)
		i.checkProgram(name, file)
	}
}

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}
