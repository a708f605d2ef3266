// SPDX-License-Identifier: Apache-2.0

// Package hypervisor is the source of this project's Xen module: C files and
// headers that are copied over a Xen source tree, and the script that inserts the
// lines that lead into them. It embeds the files and identifies them by content.
// Package lab/module builds them.
package hypervisor

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

//go:embed hooks xen live
var source embed.FS

// Module returns the module's files, by their paths below the folder xen of a
// Xen source tree. None of them is a file of Xen.
func Module() fs.FS {
	module, err := fs.Sub(source, "xen")
	if err != nil {
		panic(err) // a constant path
	}
	return module
}

// Hooks returns the shell script that inserts the hook lines into a Xen source
// tree, its only argument.
func Hooks() []byte {
	script, err := source.ReadFile("hooks")
	if err != nil {
		panic(err) // the file is in the binary
	}
	return script
}

// LivePayload returns the C file that makes the module's objects a live patch. It is
// compiled in the module's folder, [LiveFolder].
func LivePayload() []byte {
	text, err := source.ReadFile("live/payload.c")
	if err != nil {
		panic(err) // the file is in the binary
	}
	return text
}

// LiveFolder is the folder of the module's C files, below the folder xen of a source tree.
const LiveFolder = "common/sched/vlib"

// Revision identifies module and hooks by their content.
func Revision() string {
	sum, err := Hash(source)
	if err != nil {
		panic(err) // the files are in the binary
	}
	return sum
}

// Hash returns the SHA-256 of the names and contents of all files, in hex.
func Hash(files fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
