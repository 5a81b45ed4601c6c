/** What a package may import. Rows are matched by a project's tags `type:` and `name:`; the more exact row holds. */
export interface BoundaryRules {
  /** Types of package that a type of package may import. */
  readonly byType: Readonly<Record<string, readonly string[]>>;
  /** The only packages that a package may import, by name. */
  readonly only: Readonly<Record<string, readonly string[]>>;
  /** Packages that a type of package must not import, although their type is allowed. */
  readonly never: Readonly<Record<string, readonly string[]>>;
}

/** The import rules of the architecture: attack-algorithms -> victim <- victim-local -> {autodiff, ort} -> onnx; what numbers mean: metrics. */
export const RULES: BoundaryRules = {
  byType: {
    service: ['lib'],
    lib: ['lib'],
    tool: ['lib', 'tool'],
  },
  only: {
    contracts: [],
    metrics: [],
    media: [],
    onnx: [],
    autodiff: ['onnx'],
    ort: ['onnx'],
    artefacts: ['contracts'],
    victim: ['contracts', 'metrics'],
    'attack-algorithms': ['contracts', 'metrics', 'onnx', 'victim'],
    'victim-local': ['autodiff', 'contracts', 'onnx', 'ort', 'victim'],
    'victim-grpc': ['contracts', 'service-kit', 'victim'],
    'service-kit': ['contracts'],
  },
  // Services compute with the weights that they are given; they make none.
  never: { service: ['training', 'fusion'] },
};
