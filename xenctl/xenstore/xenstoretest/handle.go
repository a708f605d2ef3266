// SPDX-License-Identifier: Apache-2.0

package xenstoretest

import (
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/wire"
)

// transaction is a copy of the store, and what has to be told when it becomes
// the store.
type transaction struct {
	base    uint64 // the store's generation at its start
	store   *store
	changed []string
}

// do carries out one request, with Server.mu held. It returns the answer and
// the paths that changed for everyone.
func (c *connection) do(m wire.Message) (answer []byte, changed []string, err error) {
	s := c.server.store
	var tx *transaction
	if m.Tx != 0 {
		if tx = c.transactions[m.Tx]; tx == nil {
			return nil, nil, errMissing
		}
		s = tx.store
	}
	switch m.Type {
	case wire.TransactionStart:
		return c.start()
	case wire.TransactionEnd:
		return c.end(m, tx)
	case wire.Watch, wire.Unwatch:
		return c.watch(m)
	case wire.GetDomainPath, wire.IsDomainIntroduced:
		return domain(m)
	}
	arg, rest, ok := strings.Cut(string(m.Payload), "\x00")
	if !ok {
		return nil, nil, errInvalid
	}
	path, err := absolute(arg)
	if err != nil {
		return nil, nil, err
	}
	answer, wrote, err := s.do(m.Type, path, rest)
	if err != nil || !wrote {
		return answer, nil, err
	}
	if tx != nil {
		tx.changed = append(tx.changed, path)
		return answer, nil, nil
	}
	return answer, []string{path}, nil
}

var done = wire.Join("OK")

// do carries out a request for one node.
func (s *store) do(kind wire.Type, path, rest string) (answer []byte, wrote bool, err error) {
	switch kind {
	case wire.Write:
		s.write(path, []byte(rest))
		return done, true, nil
	case wire.Mkdir:
		s.mkdir(path)
		return done, true, nil
	case wire.Remove:
		return done, true, s.remove(path)
	}
	n, err := s.get(path)
	if err != nil {
		return nil, false, err
	}
	switch kind {
	case wire.Read:
		return n.value, false, nil
	case wire.Directory:
		return wire.Join(s.children(path)...), false, nil
	case wire.DirectoryPart:
		answer, err := s.part(path, strings.TrimSuffix(rest, "\x00"))
		return answer, false, err
	case wire.GetPerms:
		return wire.Join(n.perms...), false, nil
	case wire.SetPerms:
		perms, err := wire.List([]byte(rest))
		if err != nil || len(perms) == 0 {
			return nil, false, errInvalid
		}
		s.replace(path, n.value, perms)
		return done, true, nil
	}
	return nil, false, errUnknown
}

// part returns as many names from an offset on as fit, after the node's
// generation; behind the last name comes an empty one.
func (s *store) part(path, offset string) ([]byte, error) {
	from, err := strconv.Atoi(offset)
	if err != nil || from < 0 {
		return nil, errInvalid
	}
	list := wire.Join(s.children(path)...)
	answer := wire.Join(strconv.FormatUint(s.nodes[path].generation, 10))
	room := wire.PayloadMax - len(answer) - 1
	if from > len(list) {
		from = len(list)
	}
	list = list[from:]
	if len(list) <= room {
		return append(append(answer, list...), 0), nil
	}
	end := strings.LastIndexByte(string(list[:room]), 0) + 1
	return append(answer, list[:end]...), nil
}

func (c *connection) start() ([]byte, []string, error) {
	c.lastTx++
	c.transactions[c.lastTx] = &transaction{base: c.server.store.generation, store: c.server.store.clone()}
	return wire.Join(strconv.FormatUint(uint64(c.lastTx), 10)), nil, nil
}

func (c *connection) end(m wire.Message, tx *transaction) ([]byte, []string, error) {
	if tx == nil {
		return nil, nil, errInvalid
	}
	delete(c.transactions, m.Tx)
	verdict, _ := wire.Text(m.Payload)
	switch {
	case verdict == "F":
		return done, nil, nil
	case verdict != "T":
		return nil, nil, errInvalid
	case tx.base != c.server.store.generation:
		return nil, nil, errAgain
	}
	c.server.store = tx.store
	return done, tx.changed, nil
}

func domain(m wire.Message) ([]byte, []string, error) {
	id, _ := wire.Text(m.Payload)
	if _, err := strconv.ParseUint(id, 10, 16); err != nil {
		return nil, nil, errInvalid
	}
	if m.Type == wire.GetDomainPath {
		return wire.Join("/local/domain/" + id), nil, nil
	}
	if id == "0" {
		return wire.Join("T"), nil, nil
	}
	return wire.Join("F"), nil, nil
}

// watch is one registration, in the client's own words.
type watch struct {
	path, token string
}

// event is to be sent to a client.
type event struct {
	to          *connection
	path, token string
}

func (c *connection) watch(m wire.Message) ([]byte, []string, error) {
	list, err := wire.List(m.Payload)
	if err != nil || len(list) != 2 {
		return nil, nil, errInvalid
	}
	w := watch{list[0], list[1]}
	if _, err := w.absolute(); err != nil {
		return nil, nil, err
	}
	at := -1
	for i, known := range c.watches {
		if known == w {
			at = i
		}
	}
	switch {
	case m.Type == wire.Watch && at >= 0:
		return nil, nil, errExists
	case m.Type == wire.Watch:
		c.watches = append(c.watches, w)
	case at < 0:
		return nil, nil, errMissing
	default:
		c.watches = append(c.watches[:at:at], c.watches[at+1:]...)
	}
	return done, nil, nil
}

func (w watch) absolute() (string, error) {
	if strings.HasPrefix(w.path, "@") {
		return w.path, nil
	}
	return absolute(w.path)
}

// events returns who has to be told of changed paths, with Server.mu held. A
// relative watch is told a relative path.
func (s *Server) events(changed []string) []event {
	var events []event
	for _, path := range changed {
		for c := range s.conns {
			for _, w := range c.watches {
				top, _ := w.absolute()
				if path != top && !below(path, top) {
					continue
				}
				told := path
				if w.path != top {
					told = strings.TrimPrefix(path, homeOfDom0+"/")
				}
				events = append(events, event{c, told, w.token})
			}
		}
	}
	return events
}
