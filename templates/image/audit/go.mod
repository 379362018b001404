module audit

go 1.26
