package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// controllerDeployment is the name of the controllers' Deployment in all manifests.
const controllerDeployment = "daymark-controller"

// deletionInterval is how often it is asked whether the Deployment is gone, and deletionTimeout for how long: a Pod on a node that is down
// stays until the node is back, and writes nothing.
const (
	deletionInterval = 200 * time.Millisecond
	deletionTimeout  = 45 * time.Second
)

// hookRunners are annotations that are on the Deployment when who made it runs the Job before it uninstalls, and at no other time: Helm, and
// Argo CD, which runs Helm's pre-delete hooks as PreDelete. Who applies what `helm template` prints may have applied the Job with all else.
var hookRunners = []string{"meta.helm.sh/release-name", "argocd.argoproj.io/tracking-id"}

// droppedAtOnce is from how many Services the finalizer is removed at the same time.
const droppedAtOnce = 20

// DropFinalizers is for an uninstallation: nobody is left afterwards who removes Daymark's finalizer from Services, and they could not be
// deleted any more. It deletes the Deployment of the controllers in a namespace and waits until their Pods have ended, for deletionTimeout at
// most, since they would give the finalizer again; then it removes it from all Services that have it from Daymark, and does not wait for
// speakers. Addresses stay, and so do finalizers of this name that Daymark did not give. Where the Deployment is there and neither Helm's nor
// Argo CD's, it does nothing. What cannot be written is an error that names it, after all others have been.
func DropFinalizers(ctx context.Context, config *rest.Config, namespace string, log *slog.Logger) error {
	config = rest.CopyConfig(config)
	config.QPS = -1 // droppedAtOnce is the bound.
	api, err := client.New(config, client.Options{})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if uninstalled, err := deleteControllers(ctx, api, namespace, log); err != nil || !uninstalled {
		return err
	}
	var errs []error
	page := &corev1.ServiceList{}
	for more := true; more; more = page.Continue != "" {
		if err := api.List(ctx, page, client.Limit(catchUpPageSize), client.Continue(page.Continue)); err != nil {
			return errors.Join(append(errs, fmt.Errorf("list Services: %w", err))...)
		}
		errs = append(errs, dropFinalizers(ctx, api, page.Items, log)...)
	}
	return errors.Join(errs...)
}

// dropFinalizers removes the finalizer from some Services, and returns what cannot be written.
func dropFinalizers(ctx context.Context, api client.Client, services []corev1.Service, log *slog.Logger) []error {
	var (
		writing errgroup.Group
		errs    = make([]error, len(services))
	)
	writing.SetLimit(droppedAtOnce)
	for i := range services {
		writing.Go(func() error {
			s := &services[i]
			switch dropped, err := dropFinalizer(ctx, api, s); {
			case err != nil:
				errs[i] = fmt.Errorf("remove the finalizer of Service %s/%s: %w", s.Namespace, s.Name, err)
			case dropped:
				log.Info("finalizer removed", "service", s.Namespace+"/"+s.Name)
			}
			return nil
		})
	}
	_ = writing.Wait() // All errors are wanted, not the first.
	return errs
}

// deleteControllers deletes the Deployment, its Pods first, and returns when it is gone, or deletionTimeout has passed. false: it is neither
// Helm's nor Argo CD's, and stays.
func deleteControllers(ctx context.Context, api client.Client, namespace string, log *slog.Logger) (bool, error) {
	controllers := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: controllerDeployment}}
	err := api.Get(ctx, client.ObjectKeyFromObject(controllers), controllers)
	if err == nil && !madeByHookRunner(controllers) {
		log.Warn("nothing is done: this is for what Helm and Argo CD run before they uninstall, and neither installed these controllers")
		return false, nil
	}
	if err == nil {
		err = api.Delete(ctx, controllers, client.PropagationPolicy(metav1.DeletePropagationForeground))
	}
	for begin := time.Now(); err == nil; err = api.Get(ctx, client.ObjectKeyFromObject(controllers), controllers) {
		if time.Since(begin) > deletionTimeout {
			log.Warn("a Pod of the controllers does not end: is its node down?")
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("wait until the controllers have ended: %w", ctx.Err())
		case <-time.After(deletionInterval):
		}
	}
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return false, fmt.Errorf("delete the Deployment %s of namespace %s: %w", controllerDeployment, namespace, err)
}

func madeByHookRunner(controllers *appsv1.Deployment) bool {
	return slices.ContainsFunc(hookRunners, func(annotation string) bool { return controllers.Annotations[annotation] != "" })
}

// dropFinalizer removes the finalizer from a Service if Daymark gave it, in the newest version that there is.
func dropFinalizer(ctx context.Context, api client.Client, s *corev1.Service) (dropped bool, err error) {
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		text, err := finalizerRemoval(s)
		if text == nil || err != nil {
			return err
		}
		err = api.Status().Patch(ctx, s, client.RawPatch(types.StrategicMergePatchType, text))
		if apierrors.IsConflict(err) {
			if err := api.Get(ctx, client.ObjectKeyFromObject(s), s); err != nil {
				return err //nolint:wrapcheck // The caller does.
			}
		}
		dropped = err == nil
		return err
	})
	return dropped, client.IgnoreNotFound(err)
}

// finalizerRemoval is the patch that removes it; nil when there is none of Daymark's. The provenance says no more that it is.
func finalizerRemoval(s *corev1.Service) ([]byte, error) {
	parsed := lb.ParseService(s)
	if !parsed.Finalizer || !parsed.Provenance.Finalizer {
		return nil, nil
	}
	provenance := parsed.Provenance
	provenance.Finalizer = false
	return json.Marshal(patch{
		Metadata: patchMetadata{ResourceVersion: s.ResourceVersion, RemovedFinalizers: []string{v1beta1.FinalizerCleanup}},
		Status:   &patchStatus{Conditions: []any{rewording{v1beta1.ConditionProvenance, provenance.Message()}}},
	})
}

// rewording replaces that of a condition in the list.
type rewording struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}
