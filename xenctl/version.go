// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"bytes"
	"fmt"
	"strings"
)

// Version is Xen's description of itself. An unprivileged guest sees
// "<denied>", or nothing, in some of the fields.
type Version struct {
	Major, Minor int
	Extra        string // for example ".5"
	Capabilities []string
	CommandLine  string
	Changeset    string
	Compiler     string
	CompiledBy   string // user@domain
	CompileDate  string
	PageSize     int
}

func (v Version) String() string { return fmt.Sprintf("%d.%d%s", v.Major, v.Minor, v.Extra) }

// Version reads Xen's version. It needs no interface version and works with any
// Xen.
func (h *Handle) Version() (Version, error) {
	v, err := h.version()
	return v, opError("ask for Xen's version", err)
}

func (h *Handle) version() (Version, error) {
	b, err := h.buffers.get()
	if err != nil {
		return Version{}, err
	}
	defer h.buffers.put(b)
	number, err := h.hypercall(hypercallXenVersion, xenverVersion, 0)
	if err != nil {
		return Version{}, err
	}
	pageSize, err := h.hypercall(hypercallXenVersion, xenverPageSize, 0)
	if err != nil {
		return Version{}, err
	}
	v := Version{Major: int(number >> 16), Minor: int(number & 0xffff), PageSize: int(pageSize)}
	var (
		extra        extraVersion
		changeset    changesetInfo
		commandline  commandLine
		capabilities capabilitiesInfo
		compile      compileInfo
	)
	p, addr := b.at(0)
	for _, q := range []struct {
		command uint64
		take    func()
	}{
		{xenverExtra, func() { extra = *(*extraVersion)(p) }},
		{xenverChangeset, func() { changeset = *(*changesetInfo)(p) }},
		{xenverCommandLine, func() { commandline = *(*commandLine)(p) }},
		{xenverCapabilities, func() { capabilities = *(*capabilitiesInfo)(p) }},
		{xenverCompileInfo, func() { compile = *(*compileInfo)(p) }},
	} {
		clear(b.mem)
		if _, err := h.hypercall(hypercallXenVersion, q.command, addr); err != nil {
			return Version{}, err
		}
		q.take()
	}
	v.Extra = cString(extra[:])
	v.Changeset = cString(changeset[:])
	v.CommandLine = strings.TrimSpace(cString(commandline[:]))
	v.Capabilities = strings.Fields(cString(capabilities[:]))
	v.Compiler = cString(compile.compiler[:])
	v.CompiledBy = cString(compile.compileBy[:]) + "@" + cString(compile.compileDomain[:])
	v.CompileDate = cString(compile.compileDate[:])
	return v, nil
}

// cString reads up to the first NUL, or everything without one.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
