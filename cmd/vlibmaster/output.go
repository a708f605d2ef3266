// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/vlibos/vlibos/internal/printable"
)

// writeGuest writes a guest's output: unchanged to a file or a pipe, and without
// control characters to a terminal, which would obey them.
func writeGuest(w io.Writer, b []byte) error {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b = []byte(printable.Text(string(b)))
	}
	_, err := w.Write(b)
	return err
}

// save writes buffers to the files of --out; "-" is stdout.
func save(files []string, buffers [][]byte, stdout io.Writer) error {
	for i, name := range files {
		if name == "-" {
			if _, err := stdout.Write(buffers[i]); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(name, buffers[i], 0o666); err != nil {
			return err
		}
	}
	return nil
}

// joinObjects writes one line: a JSON object with the members of all objects.
func joinObjects(w io.Writer, objects ...any) error {
	var members [][]byte
	for _, o := range objects {
		b, err := json.Marshal(o)
		if err != nil {
			return err
		}
		if m := bytes.TrimSuffix(bytes.TrimPrefix(b, []byte("{")), []byte("}")); len(m) > 0 {
			members = append(members, m)
		}
	}
	_, err := fmt.Fprintf(w, "{%s}\n", bytes.Join(members, []byte(",")))
	return err
}

// reportedError is an error that the printed JSON contains.
type reportedError struct{ error }

func (e *reportedError) Unwrap() error { return e.error }

// reported marks an error that the printed JSON contains.
func reported(err error) error {
	if err == nil {
		return nil
	}
	return &reportedError{err}
}

type failureJSON struct {
	Error struct {
		Code    int    `json:"code"`
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

func failureOf(err error) failureJSON {
	var f failureJSON
	e := exitOf(err)
	f.Error.Code, f.Error.Kind, f.Error.Message = e.code, e.kind, oneLine(err.Error())
	return f
}
