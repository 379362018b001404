// Audit reads the root file system of a base image and fails when it breaks a promise of promises.json.
// It runs while the image is built; its report becomes part of the image.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

// Report is what the image carries as audit.json. Field order and content depend on promises and file system alone.
type Report struct {
	Image          string   `json:"image"`
	Architecture   string   `json:"architecture"`
	User           string   `json:"user"`
	Loader         string   `json:"loader"`
	Files          int      `json:"files"`
	Executables    []string `json:"elfExecutables"`
	CACertificates int      `json:"caCertificates"`
	Checks         []string `json:"checks"`
	// Exempted paths with the reason for each, and those that are there no longer.
	Exemptions       map[string]string `json:"exemptions"`
	UnusedExemptions []string          `json:"unusedExemptions"`
}

func main() {
	root := flag.String("root", "", "folder that holds the image's root file system")
	arch := flag.String("arch", "", "architecture of the image: amd64 or arm64")
	out := flag.String("out", "", "file that the report is written to")
	flag.Parse()

	promises, err := readPromises()
	if err != nil {
		fail(fmt.Sprintf("promises.json: %v", err))
	}
	report, problems := audit(*root, *arch, promises)
	for _, name := range report.UnusedExemptions {
		fmt.Fprintf(os.Stderr, "audit: warning: %s is exempted and no longer needs it; take it out of promises.json\n", name)
	}
	if len(problems) > 0 {
		fail(problems...)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err == nil {
		err = os.WriteFile(*out, append(text, '\n'), 0o444)
	}
	if err != nil {
		fail(err.Error())
	}
}

func fail(problems ...string) {
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, "audit:", problem)
	}
	os.Exit(1)
}

func audit(root, arch string, promises Promises) (Report, []string) {
	image := &image{root: root, arch: arch, promises: promises, exempted: map[string]bool{}}
	image.report = Report{
		Image: promises.Image, Architecture: arch, Loader: promises.Loader[arch], Executables: []string{},
		Checks: promises.checks(), Exemptions: promises.Exemptions, UnusedExemptions: []string{},
	}
	image.checkFiles()
	image.checkLoader()
	image.checkAccounts()
	image.checkCertificates()
	image.checkTimeZones()
	for _, name := range sortedKeys(promises.Exemptions) {
		if !image.exempted[name] {
			image.report.UnusedExemptions = append(image.report.UnusedExemptions, name)
		}
	}
	return image.report, image.problems
}
