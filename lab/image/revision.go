// SPDX-License-Identifier: Apache-2.0

package image

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
)

// The files that determine the bytes of the base images are hashed into their
// key. So a changed builder does not use an image of an older one.
//
//go:embed archive.go base.go compress.go contents.go elf.go ingredients.go modules.go packages.go tree.go
var builder embed.FS

// Revision names the code that builds the base images.
func Revision() string {
	entries, err := builder.ReadDir(".")
	if err != nil {
		panic(err) // the files are in the binary
	}
	h := sha256.New()
	for _, e := range entries {
		data, err := builder.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(h, "%s %d\n", e.Name(), len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// key names base images by content: the builder and the hash of each package.
func key(pkgs []debs.Package) string {
	h := sha256.New()
	io.WriteString(h, Revision()+"\n")
	for _, p := range slices.SortedFunc(slices.Values(pkgs), func(a, b debs.Package) int { return strings.Compare(a.Name, b.Name) }) {
		fmt.Fprintf(h, "%s %s %s\n", p.Name, p.Version, p.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
