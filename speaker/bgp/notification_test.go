package bgp

import (
	"net/netip"
	"testing"
)

func TestNotification_Texts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code, subcode uint8
		data          []byte
		want          string
	}{
		"with a subcode":                  {2, 2, nil, "OPEN message error, bad peer AS"},
		"without":                         {4, 0, nil, "hold timer expired"},
		"a subcode that nobody knows":     {2, 99, nil, "OPEN message error, subcode 99"},
		"a code that nobody knows":        {77, 3, nil, "error code 77, subcode 3"},
		"a shutdown with a reason":        {6, 2, []byte("\x05lunch"), `cease, administrative shutdown: "lunch"`},
		"a reason that ends early":        {6, 2, []byte("\xfflunch"), `cease, administrative shutdown: "lunch"`},
		"a reason that is not text":       {6, 4, []byte("\x03a\x00b"), `cease, administrative reset: "a\x00b"`},
		"a shutdown with an empty reason": {6, 2, []byte{0}, "cease, administrative shutdown"},
		"a hard reset says why":           {6, 9, []byte{6, 3}, "cease, hard reset: cease, peer de-configured"},
		"a hard reset within another":     {6, 9, []byte{6, 9, 6, 9}, "cease, hard reset"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := notificationText(test.code, test.subcode, test.data); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDial_ErrorTexts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ password, failure, want string }{
		"refused": {
			"", "dial tcp 192.0.2.1:179: connect: connection refused", "connect to 192.0.2.1:179: connection refused",
		},
		"refused, from a source": {
			"", "dial tcp 192.0.2.9:0->192.0.2.1:179: connect: no route to host", "connect to 192.0.2.1:179: no route to host",
		},
		"no answer": {"", "dial tcp 192.0.2.1:179: i/o timeout", "connect to 192.0.2.1:179: no answer"},
		"no answer where a password is used": {
			"x", "dial tcp 192.0.2.1:179: i/o timeout",
			"connect to 192.0.2.1:179: no answer (which is also how a wrong password shows)",
		},
		"the source is not ours": {
			"", "dial tcp 192.0.2.9:0->192.0.2.1:179: bind: cannot assign requested address",
			"connect to 192.0.2.1:179 from 192.0.2.9: cannot assign requested address",
		},
		"something else": {"", "lack of luck", "connect to 192.0.2.1:179: lack of luck"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &settings{
				address: netip.MustParseAddr("192.0.2.1"), port: 179, source: netip.MustParseAddr("192.0.2.9"), password: test.password,
			}
			if got := dialErrorText(s, test.failure); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
