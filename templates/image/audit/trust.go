package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"path"
)

// checkCertificates counts what programs trust when they open a TLS connection.
func (i *image) checkCertificates() {
	rest, err := i.read("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		i.refuse("%v", err)
		return
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			i.report.CACertificates++
		}
	}
	if i.report.CACertificates < i.promises.CACertificates {
		i.refuse("the CA bundle holds %d certificates, not %d or more", i.report.CACertificates, i.promises.CACertificates)
	}
}

func (i *image) checkTimeZones() {
	for _, zone := range i.promises.TimeZones {
		content, err := i.read(path.Join("/usr/share/zoneinfo", zone))
		if err != nil || !bytes.HasPrefix(content, []byte("TZif")) {
			i.refuse("time zone %s is missing", zone)
		}
	}
}
