import { AV_LOG_QUIET } from 'node-av/constants';
import { Log } from 'node-av/lib';

// FFmpeg prints to stderr by itself, with details of the media; errors come back as codes anyway.
Log.setLevel(AV_LOG_QUIET);
