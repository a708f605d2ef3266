// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"strings"
	"testing"
)

const signed = "/usr/share/keyrings/debian-archive-keyring.gpg"

// stanzas are the three sources of trixie in deb822, each with these options.
func stanzas(archive, security string, options string) string {
	var b strings.Builder
	for _, s := range []struct{ uri, suite string }{{archive, "trixie"}, {archive, "trixie-updates"}, {security, "trixie-security"}} {
		b.WriteString("Types: deb\nURIs: " + s.uri + "\nSuites: " + s.suite + "\nTargets: Packages\nComponents: main\n" + options + "\n")
	}
	return b.String()
}

// A release's packages come from the machine's archive of Debian, with its keys, whatever
// the release and the format of the machine's sources.
func TestReleaseComesFromTheMachinesArchive(t *testing.T) {
	const embedded = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n Zm9v\n -----END PGP PUBLIC KEY BLOCK-----\n"
	for _, test := range []struct {
		name, file, text, own, want string
		public                      bool
	}{
		{name: "Debian 12 as installed", file: "debian.sources", own: "bookworm",
			text: "Types: deb\n# a snapshot\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By: " + signed +
				"\n\nTypes: deb\nURIs: http://deb.debian.org/debian-security\nSuites: bookworm-security\nComponents: main\nSigned-By: " + signed + "\n",
			want: stanzas("http://deb.debian.org/debian", "http://deb.debian.org/debian-security", "Signed-By: "+signed+"\n")},
		{name: "one line, a mirror, without keys of its own", file: "sources.list", own: "trixie",
			text: "# deb http://off.example/debian trixie main\ndeb [ arch=amd64,i386 trusted=yes ] http://mirror.example/debian/ trixie main non-free # ours\ndeb-src http://mirror.example/debian trixie main\n",
			want: stanzas("http://mirror.example/debian/", "http://mirror.example/debian-security", "trusted: yes\n")},
		{name: "security in a line of its own, with tabs", file: "a.list", own: "bookworm",
			text: "deb\t[signed-by=/k/debian-archive-keyring.gpg]\thttp://a.example/pub/linux/debian\tbookworm main\ndeb http://s.example/debian-security bookworm-security main\n",
			want: strings.Replace(stanzas("http://a.example/pub/linux/debian", "http://s.example/debian-security", "signed-by: /k/debian-archive-keyring.gpg\n"),
				"Suites: trixie-security\nTargets: Packages\nComponents: main\nsigned-by: /k/debian-archive-keyring.gpg\n", "Suites: trixie-security\nTargets: Packages\nComponents: main\n", 1)},
		{name: "an embedded key", file: "x.sources", own: "bookworm",
			text: "Enabled: yes\nTypes: deb deb-src\nURIs: https://mirror.example/debian\nSuites: stable\nComponents: main\nArchitectures: amd64\n" + embedded,
			want: stanzas("https://mirror.example/debian", "https://mirror.example/debian-security", embedded)},
		{name: "others that name Debian's suites", file: "b.list", own: "bookworm",
			text: "deb [signed-by=/k/wine.gpg] https://dl.winehq.example/wine-builds/debian bookworm main\ndeb https://apt.example bookworm main\ndeb http://deb.debian.org/debian bookworm main\n",
			want: stanzas("http://deb.debian.org/debian", "http://deb.debian.org/debian-security", "")},
		{name: "a mirror of any name, on a Debian", file: "c.list", own: "bookworm",
			text: "deb cdrom:[Debian 12]/ bookworm main\ndeb http://mirror.example/deb12 bookworm main\n",
			want: stanzas("http://mirror.example/deb12", "http://deb.debian.org/debian-security", "")},
		{name: "Ubuntu", file: "ubuntu.sources", public: true,
			text: "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu/\nSuites: noble noble-updates\nComponents: main universe\nSigned-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n\n" +
				"Types: deb\nURIs: http://dl.google.example/linux/chrome/deb/\nSuites: stable\nComponents: main\n",
			want: stanzas("http://deb.debian.org/debian", "http://deb.debian.org/debian-security", "Signed-By: "+signed+"\n")},
		{name: "disabled", file: "d.sources", public: true, own: "bookworm",
			text: "Enabled: no\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n",
			want: stanzas("http://deb.debian.org/debian", "http://deb.debian.org/debian-security", "Signed-By: "+signed+"\n")},
	} {
		main, more, public := releaseEntries(parseEntries(test.file, test.text), test.own, "trixie")
		var got strings.Builder
		for _, e := range append([]entry{main}, more...) {
			got.WriteString(e.text("deb") + "\n")
		}
		// The blank lines only make the test readable.
		if strings.ReplaceAll(got.String(), "\n\n", "\n") != strings.ReplaceAll(test.want, "\n\n", "\n") || public != test.public {
			t.Errorf("%s: public %v, got\n%s\nwant\n%s", test.name, public, &got, test.want)
		}
	}
}

// Source code is requested from each source, with its options, also for a suite that is an
// exact path.
func TestSourceCodeKeepsTheOptions(t *testing.T) {
	text := "Types: deb\nURIs: http://a.example/x http://b.example/x\nSuites: ./\nTrusted: yes\nLanguages: none\n\nTypes: deb-src\nURIs: http://c.example\nSuites: sid\nComponents: main\n"
	var got strings.Builder
	for _, e := range parseEntries("x.sources", text) {
		got.WriteString(e.text("deb-src"))
	}
	want := "Types: deb-src\nURIs: http://a.example/x\nSuites: ./\nTargets: Sources\nTrusted: yes\n" +
		"Types: deb-src\nURIs: http://b.example/x\nSuites: ./\nTargets: Sources\nTrusted: yes\n" +
		"Types: deb-src\nURIs: http://c.example\nSuites: sid\nTargets: Sources\nComponents: main\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &got, want)
	}
}
