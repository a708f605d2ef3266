// SPDX-License-Identifier: Apache-2.0

package xenstoretest

import (
	"maps"
	"slices"
	"strings"
)

// refusal is the name of an error, as it is sent.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errInvalid  refusal = "EINVAL"
	errMissing  refusal = "ENOENT"
	errTooBig   refusal = "E2BIG"
	errAgain    refusal = "EAGAIN"
	errExists   refusal = "EEXIST"
	errUnknown  refusal = "ENOSYS"
	homeOfDom0          = "/local/domain/0"
	pathMax             = 3072 // XENSTORE_ABS_PATH_MAX
	defaultPerm         = "n0"
)

// node is one immutable version of a node: a change makes a new version, so
// that stores can share them.
type node struct {
	value      []byte
	perms      []string
	generation uint64 // of its value, permissions or list of children
}

// store is the tree, as a map from absolute paths.
type store struct {
	nodes      map[string]*node
	generation uint64
}

func newStore() *store {
	s := &store{nodes: map[string]*node{"/": {perms: []string{defaultPerm}}}}
	s.mkdir(homeOfDom0)
	return s
}

func (s *store) clone() *store {
	return &store{nodes: maps.Clone(s.nodes), generation: s.generation}
}

// absolute resolves and checks a path.
func absolute(path string) (string, error) {
	if path == "" {
		return "", errInvalid
	}
	if path[0] != '/' {
		path = homeOfDom0 + "/" + path
	}
	if len(path) > pathMax || path != "/" && strings.HasSuffix(path, "/") || strings.Contains(path, "//") {
		return "", errInvalid
	}
	return path, nil
}

func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

func (s *store) get(path string) (*node, error) {
	n := s.nodes[path]
	if n == nil {
		return nil, errMissing
	}
	return n, nil
}

// replace stores a new version of a node.
func (s *store) replace(path string, value []byte, perms []string) {
	s.generation++
	s.nodes[path] = &node{value: value, perms: perms, generation: s.generation}
}

// touch records that a node's list of children changed.
func (s *store) touch(path string) {
	n := s.nodes[path]
	s.replace(path, n.value, n.perms)
}

// mkdir makes a node and its parents; new nodes have their parent's
// permissions.
func (s *store) mkdir(path string) {
	if s.nodes[path] != nil {
		return
	}
	up := parent(path)
	s.mkdir(up)
	s.replace(path, nil, s.nodes[up].perms)
	s.touch(up)
}

func (s *store) write(path string, value []byte) {
	s.mkdir(path)
	s.replace(path, value, s.nodes[path].perms)
}

// remove removes a node and everything below it.
func (s *store) remove(path string) error {
	if path == "/" {
		return errInvalid
	}
	if s.nodes[path] == nil {
		if s.nodes[parent(path)] == nil {
			return errMissing
		}
		return nil
	}
	for p := range s.nodes {
		if p == path || below(p, path) {
			delete(s.nodes, p)
		}
	}
	s.touch(parent(path))
	return nil
}

func (s *store) children(path string) []string {
	var names []string
	for p := range s.nodes {
		if p != "/" && parent(p) == path {
			names = append(names, p[strings.LastIndexByte(p, '/')+1:])
		}
	}
	slices.Sort(names)
	return names
}

// below reports whether path lies under top.
func below(path, top string) bool {
	if top == "/" {
		return path != "/"
	}
	return strings.HasPrefix(path, top+"/")
}
