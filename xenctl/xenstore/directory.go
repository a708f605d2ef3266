// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// Directory returns the names of a node's children. A list too long for one
// message is read in parts, and again from the start if it changes meanwhile:
// the result is the list at one moment.
func (o ops) Directory(ctx context.Context, path string) ([]string, error) {
	payload, err := o.request(ctx, protocol.Directory, path, protocol.Join(path))
	if errors.Is(err, unix.E2BIG) {
		names, err := o.directoryParts(ctx, path)
		return names, opError("directory", path, err)
	}
	if err != nil {
		return nil, opError("directory", path, err)
	}
	names, err := childNames(payload)
	return names, opError("directory", path, err)
}

// directoryRestarts limits how often a list is read again.
const directoryRestarts = 64

func (o ops) directoryParts(ctx context.Context, path string) ([]string, error) {
	for range directoryRestarts {
		names, same, err := o.directoryOnce(ctx, path)
		if err != nil || same {
			return names, err
		}
	}
	return nil, ErrConflict
}

// directoryOnce reads all parts; same is false if the node changed between two
// of them. The offset of the next part is in bytes of the daemon's list, where
// each name is followed by a NUL.
func (o ops) directoryOnce(ctx context.Context, path string) (names []string, same bool, err error) {
	generation := ""
	for offset := 0; ; {
		payload, err := o.request(ctx, protocol.DirectoryPart, path, protocol.Join(path, strconv.Itoa(offset)))
		if err != nil {
			return nil, false, err
		}
		part, err := parsePart(payload)
		if err != nil {
			return nil, false, err
		}
		if offset > 0 && part.generation != generation {
			return nil, false, nil
		}
		generation = part.generation
		names = append(names, part.names...)
		if part.last {
			return names, true, nil
		}
		offset += part.size
	}
}

// part is an answer to DIRECTORY_PART: the node's generation, some names, and
// in the last part an empty name.
type part struct {
	generation string
	names      []string
	size       int // bytes of names, with their NULs
	last       bool
}

func parsePart(payload []byte) (part, error) {
	list, err := protocol.List(payload)
	if err != nil {
		return part{}, err
	}
	if len(list) < 2 {
		return part{}, fmt.Errorf("%w: a part of a directory without names or end", ErrProtocol)
	}
	p := part{generation: list[0], names: list[1:]}
	if end := len(p.names) - 1; p.names[end] == "" {
		p.names, p.last = p.names[:end], true
	}
	if slices.Contains(p.names, "") {
		return part{}, fmt.Errorf("%w: an empty name in a directory", ErrProtocol)
	}
	p.size = len(payload) - len(p.generation) - 1
	return p, nil
}

func childNames(payload []byte) ([]string, error) {
	names, err := protocol.List(payload)
	if err == nil && slices.Contains(names, "") {
		err = fmt.Errorf("%w: an empty name in a directory", ErrProtocol)
	}
	return names, err
}
