package lb

import (
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestParseCommunity(t *testing.T) {
	for _, test := range []struct{ text, want, err string }{
		{"64512:100", "64512:100", ""},
		{"64512:1:2", "64512:1:2", ""},
		{"4294967295:0:4294967295", "4294967295:0:4294967295", ""},
		{"no-export", "65535:65281", ""},
		{"graceful-shutdown", "65535:0", ""},
		{"65536:1", "", "not a number of 16 bits"},
		{"1:2:4294967296", "", "not a number of 32 bits"},
		{"1:2:3:4", "", "is not a community"},
		{"nonsense", "", "nor a name that is known"},
	} {
		t.Run(test.text, func(t *testing.T) {
			got, err := ParseCommunity(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || got.String() != test.want {
				t.Errorf("got %s and error %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestCommunity_ValueIsThatOfTheRegistry(t *testing.T) {
	noExport, err := ParseCommunity("no-export")
	if err != nil || noExport.Value() != 0xffffff01 {
		t.Errorf("NO_EXPORT is %#x, want 0xffffff01 (RFC 1997)", noExport.Value())
	}
}

func TestAliases_Resolve(t *testing.T) {
	aliases := Aliases{}
	community := func(name, value string) *v1beta1.Community {
		return &v1beta1.Community{Spec: v1beta1.CommunitySpec{Communities: []v1beta1.CommunityAlias{{Name: name, Value: value}}}}
	}
	if err := aliases.AddAliases(community("blue", "64512:1")); err != nil {
		t.Fatal(err)
	}
	if err := aliases.AddAliases(community("blue", "64512:2")); err == nil {
		t.Error("a name with two values is not refused")
	}
	partly := &v1beta1.Community{Spec: v1beta1.CommunitySpec{Communities: []v1beta1.CommunityAlias{
		{Name: "bad", Value: "nonsense"}, {Name: "green", Value: "64512:3"}, {Name: "worse", Value: "1:2:3:4"},
	}}}
	if err := aliases.AddAliases(partly); err == nil || !strings.Contains(err.Error(), "bad:") || !strings.Contains(err.Error(), "worse:") {
		t.Errorf("error %v, want one that names both bad lines", err)
	}
	if got := aliases["green"].String(); got != "64512:3" {
		t.Errorf("the good line between two bad ones stands for %s", got)
	}
	values, err := aliases.Resolve([]string{"red", "blue", "64512:1", "64512:1:9"})
	if err == nil || !strings.Contains(err.Error(), "red") || strings.Contains(err.Error(), "blue") {
		t.Errorf("error %v, want one that names red only", err)
	}
	if got := strings.Join(Strings(values), " "); got != "64512:1 64512:1:9" {
		t.Errorf("resolved to %q", got)
	}
}
