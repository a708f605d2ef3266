// SPDX-License-Identifier: Apache-2.0

package xapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
)

// eventText is XAPI's answer to the first event.from.
func eventText(t *testing.T, x *xapitest.XAPI) []byte {
	t.Helper()
	s := httptest.NewServer(x)
	defer s.Close()
	var text []byte
	for _, q := range []string{
		`{"id":1,"method":"session.login_with_password","params":["",""]}`,
		`{"id":1,"method":"event.from","params":["OpaqueRef:session-1",["vm"],"",30.1]}`,
	} {
		a, err := http.Post(s.URL+"/jsonrpc", "application/json", bytes.NewBufferString(q))
		if err != nil {
			t.Fatal(err)
		}
		if text, err = io.ReadAll(a.Body); err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
	}
	return text
}
