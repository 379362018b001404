package main

import (
	"path"
	"strings"
)

// checkAccounts reads who programs run as, and that nobody can log in.
func (i *image) checkAccounts() {
	wantUser, wantGroup, _ := strings.Cut(i.promises.User, ":")
	passwd, err := i.read("/etc/passwd")
	if err != nil {
		i.refuse("%v", err)
		return
	}
	for _, fields := range records(passwd, 7) {
		name, password, number, group, shell := fields[0], fields[1], fields[2], fields[3], fields[6]
		if base := path.Base(shell); base != "nologin" && base != "false" {
			i.refuse("user %s logs in with %s", number, shell)
		}
		if password == "" {
			i.refuse("user %s logs in without a password", number)
		}
		if number == "0" && name != "root" {
			i.refuse("user %s has all rights", name)
		}
		if number == wantUser {
			i.report.User = name
			if group != wantGroup {
				i.refuse("user %s is in group %s", number, group)
			}
		}
	}
	if i.report.User == "" {
		i.refuse("no user has the number %s", wantUser)
	}
	groups, err := i.read("/etc/group")
	if err != nil {
		i.refuse("%v", err)
		return
	}
	for _, fields := range records(groups, 4) {
		if fields[2] == wantGroup {
			return
		}
	}
	i.refuse("no group has the number %s", wantGroup)
}

func records(text []byte, count int) [][]string {
	var records [][]string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimRight(line, "\n"), ":"); len(fields) == count {
			records = append(records, fields)
		}
	}
	return records
}
