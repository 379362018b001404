package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed promises.json
var promisesText []byte

// Promises is promises.json: what the image must and must not hold.
type Promises struct {
	Image string `json:"image"`
	// NUMBER:NUMBER
	User           string `json:"user"`
	Shell          bool   `json:"shell"`
	PackageManager bool   `json:"packageManager"`
	// The one loader of each architecture. None: programs must be static.
	Loader         map[string]string `json:"loader"`
	CACertificates int               `json:"caCertificates"`
	TimeZones      []string          `json:"timeZones"`
	// Path → why an executable script may be there.
	Exemptions map[string]string `json:"exemptions"`
}

func readPromises() (Promises, error) {
	var promises Promises
	decoder := json.NewDecoder(bytes.NewReader(promisesText))
	// A misspelt promise would be one that nobody keeps.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&promises); err != nil {
		return promises, err
	}
	if user, group, found := strings.Cut(promises.User, ":"); !found || user == "" || user == "0" || group == "" {
		return promises, fmt.Errorf("user %q is not NUMBER:NUMBER without rights", promises.User)
	}
	return promises, nil
}

func (p Promises) checks() []string {
	var checks []string
	if !p.Shell {
		checks = append(checks, "no shell")
	}
	if !p.PackageManager {
		checks = append(checks, "no package manager")
	}
	checks = append(checks,
		"no setuid or setgid file", "no file capability", "no device", "nothing world-writable but sticky folders",
		"no executable script", "no executable of another architecture")
	if len(p.Loader) == 0 {
		checks = append(checks, "no loader", "no shared library", "no executable that needs a loader or a library")
	} else {
		checks = append(checks, "one loader", "no executable that needs another loader or an absent library")
	}
	return append(checks, "user and group of the image", "no account with a login shell", "CA certificates", "time zones")
}

func sortedKeys[V any](values map[string]V) []string {
	return slices.Sorted(maps.Keys(values))
}
