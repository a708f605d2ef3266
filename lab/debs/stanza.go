// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
)

// Package is one package as `apt-cache show` describes it.
type Package struct {
	Name    string
	Version string
	// SHA256 is the hash of the .deb file, in hex. It is the identity in the keys of
	// the image cache.
	SHA256 string
	// Depends has Depends and Pre-Depends, as a conjunction of alternatives. It has
	// the names alone, without versions and architectures.
	Depends [][]string
}

// parseStanzas parses the deb822 stanzas that `apt-cache show` prints. It skips unknown
// fields and continuation lines. A stanza without a name or a version is an error, because
// the output is then in another format.
func parseStanzas(out []byte) ([]Package, error) {
	var pkgs []Package
	var cur Package
	seen := false
	flush := func() error {
		if !seen {
			return nil
		}
		if cur.Name == "" || cur.Version == "" {
			return fmt.Errorf("stanza without Package or Version field after %q", last(pkgs))
		}
		pkgs = append(pkgs, cur)
		cur, seen = Package{}, false
		return nil
	}
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		if strings.TrimSpace(line) == "" {
			if err := flush(); err != nil {
				return nil, err
			}
			continue
		}
		seen = true
		field, value, ok := strings.Cut(line, ":")
		if !ok || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		value = strings.TrimSpace(value)
		switch field {
		case "Package":
			cur.Name = value
		case "Version":
			cur.Version = value
		case "SHA256":
			cur.SHA256 = value
		case "Depends", "Pre-Depends":
			cur.Depends = append(cur.Depends, parseDepends(value)...)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	return pkgs, flush()
}

func last(pkgs []Package) string {
	if len(pkgs) == 0 {
		return ""
	}
	return pkgs[len(pkgs)-1].Name
}

// parseDepends parses one dependency field, for example
// `libc6 (>= 2.35), python3:any, sysvinit-utils | lsb-base`.
func parseDepends(field string) [][]string {
	var all [][]string
	for clause := range strings.SplitSeq(field, ",") {
		var alts []string
		for alt := range strings.SplitSeq(clause, "|") {
			name := strings.TrimSpace(alt)
			if i := strings.IndexAny(name, " \t(["); i >= 0 {
				name = name[:i]
			}
			name, _, _ = strings.Cut(name, ":")
			if name != "" {
				alts = append(alts, name)
			}
		}
		if len(alts) > 0 {
			all = append(all, alts)
		}
	}
	return all
}
