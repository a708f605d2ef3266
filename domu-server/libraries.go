// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/signature"
)

// Libraries says which libraries of the guest may be called. The zero value
// allows every soname that the dynamic linker finds, and no paths.
type Libraries struct {
	// Closed: only the sonames in Sonames are allowed.
	Closed  bool
	Sonames []string
	// Directories have the files that may be called by absolute path, at any
	// depth. A symbolic link that leads out of all of them is refused.
	Directories []string
}

// ParseLibraries reads a list. An absolute path allows a directory. A soname
// closes the set of sonames and is in it. "none" closes the set without adding
// to it.
func ParseLibraries(entries []string) (Libraries, error) {
	var l Libraries
	for _, e := range entries {
		if e == "none" {
			l.Closed = true
			continue
		}
		if err := signature.CheckLibrary(strings.TrimSuffix(e, "/")); err != nil {
			return Libraries{}, fmt.Errorf("allowed library %q: want a soname, the absolute path of a directory, or none: %w", e, err)
		}
		if filepath.IsAbs(e) {
			l.Directories = append(l.Directories, filepath.Clean(e))
		} else {
			l.Closed, l.Sonames = true, append(l.Sonames, e)
		}
	}
	return l, nil
}

func (l Libraries) String() string {
	sonames := "any soname"
	if l.Closed {
		sonames = strings.Join(l.Sonames, ", ")
	}
	return strings.TrimPrefix(strings.Join(append([]string{sonames}, l.Directories...), ", "), ", ")
}

// resolve returns the argument to dlopen for a library that a client named, or
// a StatusError. For a path it is the target of its symbolic links, so that the
// file opened is the file checked.
func (l Libraries) resolve(name string) (string, error) {
	if err := signature.CheckLibrary(name); err != nil {
		return "", &vlibcall.StatusError{Status: vlibcall.StatusNoLibrary, Detail: err.Error()}
	}
	if !filepath.IsAbs(name) {
		if l.Closed && !slices.Contains(l.Sonames, name) {
			return "", l.denied(name)
		}
		return name, nil
	}
	if !slices.ContainsFunc(l.Directories, func(dir string) bool { return below(dir, name) }) {
		return "", l.denied(name)
	}
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", &vlibcall.StatusError{Status: vlibcall.StatusNoLibrary, Detail: err.Error()}
	}
	for _, dir := range l.Directories {
		if real, err := filepath.EvalSymlinks(dir); err == nil && below(real, path) {
			return path, nil
		}
	}
	return "", l.denied(name)
}

func below(dir, path string) bool {
	return dir == "/" || strings.HasPrefix(path, dir+"/")
}

func (l Libraries) denied(name string) error {
	allowed := l.String()
	if allowed == "" {
		allowed = "none"
	}
	return &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: fmt.Sprintf(
		"library %.255s: this server allows %s; its --libraries decides", name, allowed)}
}
