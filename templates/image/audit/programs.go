package main

import (
	"debug/elf"
	"io"
	"path"
	"strings"
)

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// Where Debian's glibc looks for libraries when nothing else is said.
var libraryFolders = map[string][]string{
	"amd64": {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"},
	"arm64": {"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib", "/usr/lib"},
}

func isLoaderName(name string) bool {
	for _, start := range []string{"ld-linux", "ld-musl", "ld64.so", "ld.so"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// checkLoader looks at the loader that programs on this image will ask for.
func (i *image) checkLoader() {
	if machines[i.arch] == elf.EM_NONE {
		i.refuse("architecture %q is not known", i.arch)
	}
	if len(i.promises.Loader) == 0 {
		return
	}
	loader := i.promises.Loader[i.arch]
	if loader == "" {
		i.refuse("promises.json names no loader for %s", i.arch)
	} else if _, err := i.follow(loader); err != nil {
		i.refuse("the loader %v", err)
	}
}

func (i *image) checkProgram(name string, file io.ReaderAt) {
	program, err := elf.NewFile(file)
	if err != nil {
		i.refuse("%s is a damaged ELF file: %v", name, err)
		return
	}
	if program.Machine != machines[i.arch] {
		i.refuse("%s is built for %v", name, program.Machine)
		return
	}
	interpreter := interpreterOf(program)
	libraries, _ := program.ImportedLibraries() // An error: it has no list of them.
	if len(i.promises.Loader) == 0 {
		if names, _ := program.DynString(elf.DT_SONAME); len(names) > 0 {
			i.refuse("%s is a shared library", name)
		}
		if interpreter != "" {
			i.refuse("%s needs a loader", name)
		} else if len(libraries) > 0 {
			i.refuse("%s needs %s", name, strings.Join(libraries, ", "))
		}
		return
	}
	if loader := i.promises.Loader[i.arch]; interpreter != "" && interpreter != loader {
		i.refuse("%s needs the loader %s, not %s", name, interpreter, loader)
	}
	folders := append(ownFolders(program, name), libraryFolders[i.arch]...)
	for _, library := range libraries {
		if !i.holds(library, folders) {
			i.refuse("%s needs %s, which is missing", name, library)
		}
	}
}

func interpreterOf(program *elf.File) string {
	for _, header := range program.Progs {
		if header.Type == elf.PT_INTERP {
			text, err := io.ReadAll(header.Open())
			if err != nil || len(text) == 0 {
				return "(unreadable)"
			}
			return strings.TrimRight(string(text), "\x00")
		}
	}
	return ""
}

// ownFolders are those that the program names itself. `$ORIGIN` is where it is.
func ownFolders(program *elf.File, name string) []string {
	var folders []string
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		lists, _ := program.DynString(tag)
		for _, list := range lists {
			for _, folder := range strings.Split(list, ":") {
				folder = strings.NewReplacer("${ORIGIN}", path.Dir(name), "$ORIGIN", path.Dir(name)).Replace(folder)
				if path.IsAbs(folder) {
					folders = append(folders, folder)
				}
			}
		}
	}
	return folders
}

func (i *image) holds(library string, folders []string) bool {
	if path.IsAbs(library) {
		_, err := i.follow(library)
		return err == nil
	}
	for _, folder := range folders {
		if _, err := i.follow(path.Join(folder, library)); err == nil {
			return true
		}
	}
	return false
}
