// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// A Command is the input of run.
type Command struct {
	Argv    []string
	Env     []string      // "NAME=VALUE"
	Timeout time.Duration // travels in milliseconds, rounded up; 0: the server's limit
	Stdin   []byte
}

type commandHeader struct {
	Argv      []string `json:"argv"`
	Env       []string `json:"env,omitempty"`
	TimeoutMS int64    `json:"timeout_ms,omitempty"`
}

// Append appends the encoded command to dst.
func (c *Command) Append(dst []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	ms := int64(c.Timeout / time.Millisecond)
	if c.Timeout%time.Millisecond != 0 {
		ms++
	}
	b, err := appendFrame(dst, commandHeader{c.Argv, c.Env, ms}, c.Stdin)
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	return b, nil
}

// Decode reads an encoded command. Stdin is a part of b; the rest is copied.
func (c *Command) Decode(b []byte) error {
	header, stdin, err := splitFrame(b)
	if err != nil {
		return fmt.Errorf("decode command: %w", err)
	}
	var h commandHeader
	d := json.NewDecoder(bytes.NewReader(header))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return fmt.Errorf("decode command: %w", err)
	}
	if d.InputOffset() != int64(len(header)) {
		return errors.New("decode command: more than one JSON value")
	}
	if h.TimeoutMS < 0 || h.TimeoutMS > math.MaxInt64/int64(time.Millisecond) {
		return fmt.Errorf("decode command: timeout_ms %d is out of range", h.TimeoutMS)
	}
	*c = Command{Argv: h.Argv, Env: h.Env, Timeout: time.Duration(h.TimeoutMS) * time.Millisecond, Stdin: stdin}
	return c.check()
}

func (c *Command) check() error {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return errors.New("a command needs a program to run")
	}
	if c.Timeout < 0 {
		return fmt.Errorf("timeout %v of a command is negative", c.Timeout)
	}
	for _, s := range c.Argv {
		if err := checkString("argument", s); err != nil {
			return err
		}
	}
	for _, s := range c.Env {
		if err := checkString("environment", s); err != nil {
			return err
		}
		if strings.IndexByte(s, '=') <= 0 {
			return fmt.Errorf("environment %.80q is not NAME=VALUE", s)
		}
	}
	return nil
}

// checkString refuses strings that JSON or execve would change or truncate.
func checkString(what, s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s %.80q is not UTF-8 without NUL: pass such bytes on standard input", what, s)
	}
	return nil
}
