import { ARCHITECTURES, type ArchitectureName } from '../architectures.ts';
import type { Design, FeatureSpec } from '../designs.ts';
import { scaleWidths } from '../scale-widths.ts';
import type { VictimSpec } from '../specs.ts';

const LABELS = 3;
const LAPTOP_FACTOR = 1 / 8;
const STUDY_FACTOR = 1 / 16;

/** The laptop's architecture, narrow, on half a clip of small pictures. */
export function tinyLaptop(name: ArchitectureName): VictimSpec {
  const narrow: VictimSpec = scaleWidths<VictimSpec>(ARCHITECTURES[name].laptop, LAPTOP_FACTOR);
  return {
    ...narrow,
    waveform: { ...narrow.waveform, samples: 16_000 },
    frames: { ...narrow.frames, frames: 4, height: 32, width: 32 },
    labels: LABELS,
  };
}

/** The study's architecture, narrow, on a short and coarse log-mel. */
export function tinyStudy(name: ArchitectureName): FeatureSpec {
  const narrow = scaleWidths<FeatureSpec>(ARCHITECTURES[name].study, STUDY_FACTOR);
  return {
    ...narrow,
    design: shortened(narrow.design),
    logMel: { steps: 80, bands: 32 },
    frameFeatures: { moments: 10, width: 16 },
    labels: LABELS,
  };
}

/** A map of fewer rows; fewer blocks a stage. */
function shortened(design: Design): Design {
  if (design.fusion === 'early') return { ...design, rows: 16 };
  if (design.fusion !== 'audio' || design.trunk.kind !== 'residual') return design;
  const stages = design.trunk.stages.map((stage, index) => ({ ...stage, blocks: index === 0 ? 2 : 1 }));
  return { ...design, trunk: { ...design.trunk, stages } };
}
