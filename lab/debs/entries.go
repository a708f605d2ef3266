// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// field is a field of a deb822 stanza. Its value is the text after the colon, with the
// continuation lines.
type field struct{ name, value string }

func (f field) is(name string) bool { return strings.EqualFold(f.name, name) }

// entry is one package source, as sources.list(5) describes it: suites of one archive,
// with the options that say how to trust it.
type entry struct {
	types      []string // deb, deb-src or both
	uri        string
	suites     []string
	components []string
	options    []field
}

// parseEntries parses the package sources in a file of the given name. It leaves out
// disabled ones, and those on a CD-ROM.
func parseEntries(name, text string) []entry {
	if strings.HasSuffix(name, ".sources") {
		return parseStanzaEntries(text)
	}
	return parseLineEntries(text)
}

// selects reports whether a field says what is taken from an archive, which the lab
// itself decides, rather than how to trust it.
func (f field) selects() bool {
	name := strings.ToLower(f.name)
	name = strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(name, "-add"), "-remove"), "+-")
	return slices.Contains([]string{"architectures", "languages", "targets", "arch", "lang", "target"}, name)
}

func parseStanzaEntries(text string) []entry {
	var all []entry
	for stanza := range strings.SplitSeq(text+"\n", "\n\n") {
		var e entry
		var uris []string
		enabled := true
		for _, f := range stanzaFields(stanza) {
			switch words := strings.Fields(f.value); {
			case f.is("Types"):
				e.types = words
			case f.is("Enabled"):
				enabled = !strings.EqualFold(strings.TrimSpace(f.value), "no")
			case f.is("URIs"):
				uris = words
			case f.is("Suites"):
				e.suites = words
			case f.is("Components"):
				e.components = words
			case !f.selects():
				e.options = append(e.options, f)
			}
		}
		for _, e.uri = range uris {
			if enabled {
				all = appendEntry(all, e)
			}
		}
	}
	return all
}

func stanzaFields(stanza string) []field {
	var fields []field
	for line := range strings.Lines(stanza) {
		line = strings.TrimRight(line, "\n")
		name, value, ok := strings.Cut(line, ":")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if len(fields) > 0 {
				fields[len(fields)-1].value += "\n" + line
			}
		case ok:
			fields = append(fields, field{strings.TrimSpace(name), strings.TrimRight(value, " \t")})
		}
	}
	return fields
}

func parseLineEntries(text string) []entry {
	var all []entry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		kind, rest, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(line), "\t", " "), " ")
		if kind != "deb" && kind != "deb-src" {
			continue
		}
		e := entry{types: []string{kind}}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			in, after, _ := strings.Cut(rest[1:], "]")
			rest = after
			for _, option := range strings.Fields(in) {
				name, value, _ := strings.Cut(option, "=")
				if f := (field{name, " " + value}); !f.selects() {
					e.options = append(e.options, f)
				}
			}
		}
		if f := strings.Fields(rest); len(f) >= 2 {
			e.uri, e.suites, e.components = f[0], f[1:2], f[2:]
			all = appendEntry(all, e)
		}
	}
	return all
}

func appendEntry(all []entry, e entry) []entry {
	if strings.HasPrefix(e.uri, "cdrom:") || len(e.suites) == 0 {
		return all
	}
	return append(all, e)
}

// text returns the entry as a deb822 stanza of type kind, deb or deb-src.
func (e entry) text(kind string) string {
	target := map[string]string{"deb": "Packages", "deb-src": "Sources"}[kind]
	text := fmt.Sprintf("Types: %s\nURIs: %s\nSuites: %s\nTargets: %s\n", kind, e.uri, strings.Join(e.suites, " "), target)
	if len(e.components) > 0 { // a suite that is an exact path has no components
		text += "Components: " + strings.Join(e.components, " ") + "\n"
	}
	for _, f := range e.options {
		text += f.name + ":" + f.value + "\n"
	}
	return text
}

// option returns the value of an option, or "".
func (e entry) option(name string) string {
	for _, f := range e.options {
		if f.is(name) {
			return strings.TrimSpace(f.value)
		}
	}
	return ""
}

// debianSuites are the names of suites of Debian's archive that machines of today may
// have in their package sources.
var debianSuites = []string{
	"buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
	"oldoldstable", "oldstable", "stable", "testing", "unstable",
}

const (
	securitySuffix = "-security"
	updatesSuffix  = "-updates"
)

// rank returns how likely an entry is Debian's own archive, or its archive of security
// updates; 0 means that it is not. Other archives also use the names of Debian's suites,
// with keys of their own. release is this machine's if it is a Debian, else "".
func (e entry) rank(security bool, release string) int {
	suite := slices.IndexFunc(e.suites, func(s string) bool {
		name, found := strings.CutSuffix(s, securitySuffix)
		return found == security && slices.Contains(debianSuites, name)
	})
	if suite < 0 || !slices.Contains(e.components, "main") || !slices.Contains(e.types, "deb") {
		return 0
	}
	signed := e.option("Signed-By")
	if strings.Contains(signed, "debian-archive") {
		return 4
	}
	u, err := url.Parse(e.uri)
	if err != nil {
		return 0
	}
	switch base := path.Base(u.Path); {
	case u.Hostname() == "debian.org" || strings.HasSuffix(u.Hostname(), ".debian.org"):
		return 4
	case signed != "" && !strings.HasPrefix(signed, "-----"): // another archive's key
		return 0
	case base == "debian" || base == "debian-security":
		return 3
	case strings.TrimSuffix(e.suites[suite], securitySuffix) == release:
		return 2
	}
	return 0
}

// debian returns the likeliest entry of Debian's archive, the first among equals.
func debian(entries []entry, security bool, release string) (found entry, ok bool) {
	best := 0
	for _, e := range entries {
		if r := e.rank(security, release); r > best {
			found, best = e, r
		}
	}
	return found, best > 0
}

// Debian's own archive, for a machine without one among its package sources.
const (
	debianArchive  = "http://deb.debian.org/debian"
	debianSecurity = "http://deb.debian.org/debian-security"
	keyringPackage = "debian-archive-keyring"
	keyring        = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// releaseEntries returns the package sources of a release of Debian: its archive, its
// updates, and its security updates, which some archives do not have. They are taken from
// the machine's own package sources of Debian, with their keys, whatever release the
// machine has. If it has none, they are Debian's public ones, and public is true. own is
// the machine's release if it is a Debian, else "".
func releaseEntries(machine []entry, own, release string) (main entry, more []entry, public bool) {
	archive, ok := debian(machine, false, own)
	if !ok {
		archive = entry{uri: debianArchive, options: []field{{"Signed-By", " " + keyring}}}
	}
	security, found := debian(machine, true, own)
	if !found {
		security = archive
		security.uri = debianSecurity
		if u, ok := strings.CutSuffix(strings.TrimRight(archive.uri, "/"), "/debian"); ok {
			security.uri = u + "/debian-security"
		}
	}
	suite := func(e entry, name string) entry {
		e.suites, e.components = []string{name}, []string{"main"}
		return e
	}
	more = []entry{suite(archive, release+updatesSuffix), suite(security, release+securitySuffix)}
	return suite(archive, release), more, !ok
}
