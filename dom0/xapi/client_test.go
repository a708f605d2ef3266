// SPDX-License-Identifier: Apache-2.0

package xapi_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
)

// host calls something that needs a session.
func host(ctx context.Context, c *xapi.Client, uuid string) (ref string, err error) {
	err = c.Call(ctx, "host.get_by_uuid", &ref, uuid)
	return ref, err
}

func TestErrorsAreToldApartByName(t *testing.T) {
	x := xapitest.New()
	c := client(t, x.Options(t))
	err := c.Call(t.Context(), "VM.get_record", nil, "OpaqueRef:none\x1b[2J")
	if !errors.Is(err, xapi.HandleInvalid) || errors.Is(err, xapi.SessionInvalid) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("a VM that is gone: %v", err)
	}
	if e := (*xapi.Error)(nil); !errors.As(err, &e) || len(e.Params) != 2 || e.Params[0] != "VM" {
		t.Errorf("its parameters: %#v", e)
	}
	if op := (*xapi.OpError)(nil); !errors.As(err, &op) || op.Op != "VM.get_record" {
		t.Errorf("its method: %v", op)
	}
	if _, err := host(t.Context(), c, "none"); !errors.Is(err, xapi.Name("UUID_INVALID")) {
		t.Errorf("an unknown UUID: %v", err)
	}
}

func TestSessionThatXAPIForgotIsReopened(t *testing.T) {
	x := xapitest.New()
	c := client(t, x.Options(t))
	for range 2 {
		if ref, err := host(t.Context(), c, xapitest.Host); err != nil || ref != xapitest.HostRef {
			t.Fatalf("%q, %v", ref, err)
		}
		x.NewCoordinator()
	}
	if n := x.Calls("session.login_with_password"); n != 2 {
		t.Errorf("%d logins", n)
	}
	x.Fail(xapitest.Fault{Method: "host.get_by_uuid", Name: "SESSION_INVALID"})
	if _, err := host(t.Context(), c, xapitest.Host); !errors.Is(err, xapi.SessionInvalid) {
		t.Errorf("a XAPI that knows no session: %v", err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	x := xapitest.New()
	c := client(t, x.Options(t))
	x.Fail(xapitest.Fault{Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := host(ctx, c, xapitest.Host); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	x.Fail(xapitest.Fault{})
}

func TestAnswerThatIsNoneIsAnError(t *testing.T) {
	x := xapitest.New()
	c := client(t, x.Options(t))
	x.Fail(xapitest.Fault{Status: 500})
	if _, err := host(t.Context(), c, xapitest.Host); !errors.Is(err, xapi.ErrAnswer) {
		t.Error(err)
	}
}

// certificate is the file with a server's certificate.
func certificate(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "host.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A host whose certificate is renewed, and the file with it, is followed on.
func TestRenewedCertificateIsRead(t *testing.T) {
	x := xapitest.New()
	old := httptest.NewTLSServer(x)
	defer old.Close()
	file := certificate(t, old)
	address := old.Listener.Addr().String()
	c := client(t, xapi.Options{Address: old.URL, Certificate: file})
	if _, err := host(t.Context(), c, xapitest.Host); err != nil {
		t.Fatal(err)
	}
	old.Close()
	renewed := httptest.NewUnstartedServer(x)
	renewed.Listener.Close()
	var err error
	if renewed.Listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	pair, pem := signed(t)
	renewed.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	renewed.StartTLS()
	defer renewed.Close()
	if _, err := host(t.Context(), c, xapitest.Host); err == nil {
		t.Error("a certificate that the file does not have was accepted")
	}
	if err := os.WriteFile(file, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := host(t.Context(), c, xapitest.Host); err != nil {
		t.Error(err)
	}
}

// signed is a new certificate that signs itself.
func signed(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTLSHostIsVerified(t *testing.T) {
	x := xapitest.New()
	s := httptest.NewTLSServer(x)
	defer s.Close()
	file := certificate(t, s)
	o := xapi.Options{Address: s.URL, Certificate: file}
	c := client(t, o)
	if ref, err := host(t.Context(), c, xapitest.Host); err != nil || ref != xapitest.HostRef {
		t.Errorf("%q, %v", ref, err)
	}
	o.Address = strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // the certificate does not name it
	if _, err := host(t.Context(), client(t, o), xapitest.Host); err == nil {
		t.Error("another name was accepted")
	}
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := xapi.New(o); err == nil {
		t.Error("a file without a certificate was accepted")
	}
	if _, err := xapi.New(xapi.Options{Address: s.URL}); err == nil {
		t.Error("a host that nothing verifies was accepted")
	}
}
