package lb

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestParseCommunity(t *testing.T) {
	for _, test := range []struct{ text, want, err string }{
		{"64512:100", "64512:100", ""},
		{"64512:1:2", "64512:1:2", ""},
		{"large:64512:1:2", "64512:1:2", ""},
		{"4294967295:0:4294967295", "4294967295:0:4294967295", ""},
		{"4227858532", "64512:100", ""},
		{"no-export", "65535:65281", ""},
		{"local-as", "65535:65283", ""},
		{"no-export-subconfed", "65535:65283", ""},
		{"graceful-shutdown", "65535:0", ""},
		{"llgr-stale", "65535:6", ""},
		{"no-llgr", "65535:7", ""},
		{"blackhole", "65535:666", ""},
		{"rt:64512:4294967295", "rt:64512:4294967295", ""},
		{"target:64512:100", "rt:64512:100", ""},
		{"rt:4200000000:65535", "rt:4200000000:65535", ""},
		{"rt:192.0.2.1:7", "rt:192.0.2.1:7", ""},
		{"soo:64512:1", "soo:64512:1", ""},
		{"origin:192.0.2.1:1", "soo:192.0.2.1:1", ""},
		{"bandwidth:64512:125000000", "bandwidth:64512:125000000", ""},
		{"65536:1", "", "not a number of 16 bits"},
		{"1:2:4294967296", "", "not a number of 32 bits"},
		{"4294967296", "", "not a number of 32 bits"},
		{"1:2:3:4", "", "a large one has three numbers"},
		{"large:1:2", "", "a large one has three numbers"},
		{"rt:4200000000:65536", "", "not a number of 16 bits"},
		{"rt:2001:db8::1:1", "", "not a number"},
		{"bandwidth:4200000000:1", "", "not a number of 16 bits"},
		{"rt:64512", "", "written as rt:64512:100"},
		{"colour:1:2", "", "none of large, rt"},
		{"+1:2", "", "not a number of 16 bits"},
		{":1", "", "not a number"},
		{"", "", "is no community"},
		{"nonsense", "", "is no community"},
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
				t.Fatalf("got %s and error %v, want %s", got, err, test.want)
			}
			if again, err := ParseCommunity(got.String()); err != nil || again != got {
				t.Errorf("its own text is read as %v and error %v", again, err)
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

func TestCommunity_OctetsAreThoseOfTheRFCs(t *testing.T) {
	for text, want := range map[string][8]byte{
		"rt:64512:100":         {0x00, 0x02, 0xfc, 0x00, 0, 0, 0, 100},
		"soo:192.0.2.1:258":    {0x01, 0x03, 192, 0, 2, 1, 1, 2},
		"rt:65536:258":         {0x02, 0x02, 0, 1, 0, 0, 1, 2},
		"bandwidth:64512:1000": {0x40, 0x04, 0xfc, 0x00, 0x44, 0x7a, 0, 0},
	} {
		if community, err := ParseCommunity(text); err != nil || community.Octets() != want {
			t.Errorf("%s is %x, want %x (error %v)", text, community.Octets(), want, err)
		}
	}
}

// communityObject is a Community object of an age, with names and values in turn.
func communityObject(name string, created int64, aliases ...string) *v1beta1.Community {
	object := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(created, 0))}}
	for i := 0; i < len(aliases); i += 2 {
		object.Spec.Communities = append(object.Spec.Communities, v1beta1.CommunityAlias{Name: aliases[i], Value: aliases[i+1]})
	}
	return object
}

func TestNewAliases_OldestObjectCounts(t *testing.T) {
	aliases, problems := NewAliases([]*v1beta1.Community{
		communityObject("a-younger", 9, "blue", "64512:2", "green", "64512:3", "same", "64512:9"),
		communityObject("z-older", 3, "blue", "64512:1", "same", "64512:9"),
		communityObject("b-as-old", 9, "green", "64512:4"),
	})
	for name, want := range map[string]string{"blue": "64512:1", "green": "64512:3", "same": "64512:9"} {
		if got := aliases[name].Value.String(); got != want {
			t.Errorf("%s stands for %s, want %s", name, got, want)
		}
	}
	if err := problems["a-younger"]; err == nil || err.Error() != "communities: blue stands for 64512:1: Community z-older gave it that name first" {
		t.Errorf("the younger object is told %v", err)
	}
	if problems["z-older"] != nil || problems["b-as-old"] == nil {
		t.Errorf("problems %v", problems)
	}
}

// A name that is added to an older object takes nothing from a younger one that has it.
func TestNewAliases_WhoGaveTheNameFirstKeepsIt(t *testing.T) {
	older, younger := communityObject("older", 1, "blue", "64512:1", "red", "64512:3"), communityObject("younger", 9, "blue", "64512:2")
	older.Status.Names, younger.Status.Names = []string{"red"}, []string{"blue", "gone"}
	aliases, problems := NewAliases([]*v1beta1.Community{older, younger})
	if got := aliases["blue"].Value.String(); got != "64512:2" || problems["younger"] != nil {
		t.Errorf("blue stands for %s, problem %v", got, problems["younger"])
	}
	if err := problems["older"]; err == nil || err.Error() != "communities: blue stands for 64512:2: Community younger gave it that name first" {
		t.Errorf("the older object is told %v", err)
	}
	if got := aliases.Of("older"); !slices.Equal(got, []string{"red"}) {
		t.Errorf("the older object gives %v", got)
	}
	younger.Spec.Communities = nil
	aliases, problems = NewAliases([]*v1beta1.Community{older, younger})
	if got := aliases["blue"].Value.String(); got != "64512:1" || problems["older"] != nil {
		t.Errorf("when the younger object has let it go, blue stands for %s, problem %v", got, problems["older"])
	}
}

func TestNewAliases_LinesThatDoNotCount(t *testing.T) {
	aliases, problems := NewAliases([]*v1beta1.Community{
		communityObject("a", 1, "bad", "nonsense", "no-export", "64512:1", "No_Export", "64512:2", "blackhole", "65535:666", "green", "64512:3"),
	})
	err := problems["a"]
	if err == nil || !strings.Contains(err.Error(), "bad: ") || strings.Contains(err.Error(), "blackhole") ||
		!strings.Contains(err.Error(), "no-export is a well-known community and always stands for 65535:65281") ||
		!strings.Contains(err.Error(), "No_Export is a well-known community and always stands for 65535:65281") {
		t.Errorf("error %v, want one that names the lines that do not count", err)
	}
	if got := aliases["green"].Value.String(); got != "64512:3" {
		t.Errorf("the good line after bad ones stands for %s", got)
	}
	if value, err := aliases.resolve("no-export"); err != nil || value.String() != "65535:65281" {
		t.Errorf("no-export stands for %s, error %v", value, err)
	}
}

func TestAliases_ResolveNamesTheNearest(t *testing.T) {
	aliases, _ := NewAliases([]*v1beta1.Community{communityObject("a", 1, "from-kubernetes", "64512:1")})
	for text, want := range map[string]string{
		"no_export":      "no_export is no community: did you mean no-export?",
		"NO-EXPORT":      "NO-EXPORT is no community: did you mean no-export?",
		"fromkubernetes": "fromkubernetes is no community: did you mean from-kubernetes?",
		"blackhole ":     `"blackhole " is no community: did you mean blackhole?`,
		"zebra":          "zebra is no community: it is not well-known, and no Community object has this name",
		"65536:1":        `"65536:1" is no community: "65536" is not a number of 16 bits`,
	} {
		if _, err := aliases.resolve(text); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

func FuzzParseCommunity_TextIsReadAgain(f *testing.F) {
	for _, text := range []string{"64512:100", "1:2:3", "rt:1:2", "bandwidth:1:16777217", "soo:192.0.2.1:3", "no-export", "large:1:2:3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if community, err := ParseCommunity(text); err == nil {
			if again, err := ParseCommunity(community.String()); err != nil || again != community {
				t.Errorf("%q is %s, which is read as %s and error %v", text, community, again, err)
			}
		}
	})
}
