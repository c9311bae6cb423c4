package daemon

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
)

const (
	// verdictTimeout is how long what the API server said of a token is believed.
	verdictTimeout = time.Minute
	// awayTimeout is how long who was let in is let in while the API server does not answer: that is when metrics are needed most.
	awayTimeout = time.Hour
	// reviewTimeout is how long the API server may take.
	reviewTimeout = 5 * time.Second
	// maxVerdicts bounds how many tokens are remembered, maxToken how long one may be, in bytes.
	maxVerdicts = 256
	maxToken    = 16 << 10
	// reviewsPerSecond and reviewBurst bound how often the API server is asked for whoever sends tokens, and by that how many wait: one
	// whose turn would come after reviewTimeout is answered at once.
	reviewsPerSecond = 10
	reviewBurst      = 20
	// complaintInterval is how long nothing more is logged of readers that cannot be judged.
	complaintInterval = time.Minute
)

// readers lets those read the metrics, or another path, whose token the API server knows and who may get the path there. The filter of
// controller-runtime does the same, and brings 250 packages of an API server, gRPC and CEL among them, into programs with rights on
// every node. It asks again while the API server is away, and then shows nothing.
type readers struct {
	tokens authenticationclient.TokenReviewInterface
	access authorizationclient.SubjectAccessReviewInterface
	// audiences that the tokens must be made for, nil for that of the API server.
	audiences []string
	now       func() time.Time
	// complaints: who sends tokens must not fill the log.
	complaints rate.Sometimes

	mu sync.Mutex
	// verdicts by the digest of the token and the path.
	verdicts map[[sha256.Size]byte]verdict
}

// verdict is the status to answer with, 0 to let pass, and when it was found.
type verdict struct {
	status int
	at     time.Time
}

// Filter lets those through to a handler whose token was made for an audience, as the API server says, and who may get the path there.
func Filter(config *rest.Config, client *http.Client, audience string, log *slog.Logger) (func(http.Handler) http.Handler, error) {
	r, err := newReaders(config, client, []string{audience})
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler { return r.filter(logr.FromSlogHandler(log.Handler()), next) }, nil
}

func newReaders(config *rest.Config, client *http.Client, audiences []string) (*readers, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.RateLimiter = reviewsPerSecond, reviewBurst, nil
	tokens, err := authenticationclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for TokenReviews: %w", err)
	}
	access, err := authorizationclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for SubjectAccessReviews: %w", err)
	}
	return &readers{
		tokens: tokens.TokenReviews(), access: access.SubjectAccessReviews(), audiences: audiences, now: time.Now,
		complaints: rate.Sometimes{Interval: complaintInterval}, verdicts: map[[sha256.Size]byte]verdict{},
	}, nil
}

func (r *readers) filter(log logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		token, found := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
		if !found || token == "" || len(token) > maxToken {
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		status, err := r.judge(request.Context(), token, request.URL.Path)
		switch {
		case err != nil:
			r.complaints.Do(func() { log.Error(err, "who asks cannot be judged", "path", request.URL.Path) })
			http.Error(w, "the API server cannot be asked", http.StatusServiceUnavailable)
		case status != 0:
			http.Error(w, http.StatusText(status), status)
		default:
			next.ServeHTTP(w, request)
		}
	})
}

// judge returns the status to answer with, 0 to let pass.
func (r *readers) judge(ctx context.Context, token, path string) (status int, err error) {
	key := sha256.Sum256([]byte(token + "\x00" + path))
	r.mu.Lock()
	known, found := r.verdicts[key]
	r.mu.Unlock()
	age := r.now().Sub(known.at)
	if found && age < verdictTimeout {
		return known.status, nil
	}
	status, err = r.review(ctx, token, path)
	if err != nil {
		if found && known.status == 0 && age < awayTimeout {
			return 0, nil
		}
		return 0, err
	}
	r.remember(key, verdict{status, r.now()})
	return status, nil
}

// remember keeps a verdict. When there are too many, those who may read are kept: tokens that are made up must not push them out.
func (r *readers) remember(key [sha256.Size]byte, found verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.verdicts) >= maxVerdicts {
		maps.DeleteFunc(r.verdicts, func(_ [sha256.Size]byte, v verdict) bool { return v.status != 0 || found.at.Sub(v.at) >= awayTimeout })
	}
	if len(r.verdicts) >= maxVerdicts {
		clear(r.verdicts)
	}
	r.verdicts[key] = found
}

// review asks the API server.
func (r *readers) review(ctx context.Context, token, path string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	asked := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: r.audiences}}
	who, err := r.tokens.Create(ctx, asked, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a token: %w", err)
	}
	// An API server that knows nothing of audiences names none.
	if !who.Status.Authenticated || len(r.audiences) > 0 && !slices.Contains(who.Status.Audiences, r.audiences[0]) {
		return http.StatusUnauthorized, nil
	}
	user := who.Status.User
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	may, err := r.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review what %s may: %w", user.Username, err)
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return 0, nil
}
