// SPDX-License-Identifier: Apache-2.0

// Package hypervisor is the source of this project's Xen module: C files and
// headers that are laid over a Xen source tree, and the script that inserts the
// lines which lead into them. It holds the files and names them by content; it
// does not build them, which lab/module does.
package hypervisor

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

//go:embed hooks xen
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
// tree, which is its one argument.
func Hooks() []byte {
	script, err := source.ReadFile("hooks")
	if err != nil {
		panic(err) // the file is in the binary
	}
	return script
}

// Revision names module and hooks by content.
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
