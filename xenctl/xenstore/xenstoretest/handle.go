// SPDX-License-Identifier: Apache-2.0

package xenstoretest

import (
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// transaction is a copy of the store, and the changes to report when it is
// committed.
type transaction struct {
	base    uint64 // the store's generation at its start
	store   *store
	changed []string
}

// do executes one request. The caller holds Server.mu. It returns the answer
// and the paths that changed for all clients.
func (c *connection) do(m protocol.Message) (answer []byte, changed []string, err error) {
	s := c.server.store
	var tx *transaction
	if m.Tx != 0 {
		if tx = c.transactions[m.Tx]; tx == nil {
			return nil, nil, errMissing
		}
		s = tx.store
	}
	switch m.Type {
	case protocol.TransactionStart:
		return c.start()
	case protocol.TransactionEnd:
		return c.end(m, tx)
	case protocol.Watch, protocol.Unwatch:
		return c.watch(m)
	case protocol.GetDomainPath, protocol.IsDomainIntroduced:
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

var done = protocol.Join("OK")

// do executes a request for one node.
func (s *store) do(kind protocol.Type, path, rest string) (answer []byte, wrote bool, err error) {
	switch kind {
	case protocol.Write:
		s.write(path, []byte(rest))
		return done, true, nil
	case protocol.Mkdir:
		s.mkdir(path)
		return done, true, nil
	case protocol.Remove:
		return done, true, s.remove(path)
	}
	n, err := s.get(path)
	if err != nil {
		return nil, false, err
	}
	switch kind {
	case protocol.Read:
		return n.value, false, nil
	case protocol.Directory:
		return protocol.Join(s.children(path)...), false, nil
	case protocol.DirectoryPart:
		answer, err := s.part(path, strings.TrimSuffix(rest, "\x00"))
		return answer, false, err
	case protocol.GetPerms:
		return protocol.Join(n.perms...), false, nil
	case protocol.SetPerms:
		perms, err := protocol.List([]byte(rest))
		if err != nil || len(perms) == 0 {
			return nil, false, errInvalid
		}
		s.replace(path, n.value, perms)
		return done, true, nil
	}
	return nil, false, errUnknown
}

// part returns as many names from an offset on as fit, after the node's
// generation; an empty name follows the last one.
func (s *store) part(path, offset string) ([]byte, error) {
	from, err := strconv.Atoi(offset)
	if err != nil || from < 0 {
		return nil, errInvalid
	}
	list := protocol.Join(s.children(path)...)
	answer := protocol.Join(strconv.FormatUint(s.nodes[path].generation, 10))
	room := protocol.PayloadMax - len(answer) - 1
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
	return protocol.Join(strconv.FormatUint(uint64(c.lastTx), 10)), nil, nil
}

func (c *connection) end(m protocol.Message, tx *transaction) ([]byte, []string, error) {
	if tx == nil {
		return nil, nil, errInvalid
	}
	delete(c.transactions, m.Tx)
	verdict, _ := protocol.Text(m.Payload)
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

func domain(m protocol.Message) ([]byte, []string, error) {
	id, _ := protocol.Text(m.Payload)
	if _, err := strconv.ParseUint(id, 10, 16); err != nil {
		return nil, nil, errInvalid
	}
	if m.Type == protocol.GetDomainPath {
		return protocol.Join("/local/domain/" + id), nil, nil
	}
	if id == "0" {
		return protocol.Join("T"), nil, nil
	}
	return protocol.Join("F"), nil, nil
}

// watch is one registration, as the client wrote it.
type watch struct {
	path, token string
}

// event is an event to send to a client.
type event struct {
	to          *connection
	path, token string
}

func (c *connection) watch(m protocol.Message) ([]byte, []string, error) {
	list, err := protocol.List(m.Payload)
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
	case m.Type == protocol.Watch && at >= 0:
		return nil, nil, errExists
	case m.Type == protocol.Watch:
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

// events returns the events for changed paths. The caller holds Server.mu. A
// relative watch gets relative paths.
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
